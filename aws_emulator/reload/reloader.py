"""Decide what a change of files means for a running system, apply it, and report the result."""

import statistics
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from aws_emulator.errors import CommandError
from aws_emulator.reload import lint
from aws_emulator.reload.code_update import CodeResult, CodeUpdater, Compilers, Deployed
from aws_emulator.reload.file_tree import Changes, summary
from aws_emulator.reload.function_packages import (
    FunctionPackage,
    affected,
    is_build_input,
    read_packages,
)
from aws_emulator.reload.packaging import BuildNeededError
from aws_emulator.reload.pages import PagesFolder, empty_caches
from aws_emulator.reload.stack_update import StackUpdater
from aws_emulator.reload.templates import load

#: Files that a build reads, although they are in no package.
BUILD_INPUTS: Final = ("Makefile", "*requirements.txt", "pyproject.toml")
#: An older time of a file isn't the time at which it was saved: a renamed file keeps its time.
_MAX_SAVE_AGE_S: Final = 10.0

type Print = Callable[[str], None]


class Kind(Enum):
    """The action that a changed file requires."""

    BUILD = "build"
    TEMPLATE = "template"
    CODE = "code"
    PAGE = "page"
    UNUSED = "unused"


@dataclass(frozen=True)
class Project:
    """A SAM project and its deployment.

    `root` is the folder to which messages show paths, `template` the source template, `build` the
    template in the build output. `rebuild` builds and deploys everything. `distributions` are the
    URLs of CloudFront servers. `compilers` are for packages without sources. A build also reads
    files that match `build_inputs`.
    """

    root: Path
    template: Path
    build: Path
    deployed: Sequence[Deployed]
    rebuild: Callable[[], None]
    distributions: Sequence[str] = ()
    pages: Sequence[PagesFolder] = ()
    compilers: Compilers = field(default_factory=dict)
    build_inputs: Sequence[str] = BUILD_INPUTS


def classify(
    path: Path,
    packages: Sequence[FunctionPackage],
    templates: Collection[Path],
    pages: Iterable[Path],
    build_inputs: Iterable[str],
) -> Kind:
    """Return the kind of a changed file. `pages` are folders, `templates` files."""
    if any(path.is_relative_to(it) for it in pages):
        return Kind.PAGE
    if path in templates:
        return Kind.TEMPLATE
    if is_build_input(path, packages, build_inputs):
        return Kind.BUILD
    return Kind.CODE if affected(packages, {path: None}) else Kind.UNUSED


class Reloader:
    """Apply changes to the running system. A failed change leaves the previous version."""

    def __init__(self, project: Project, show: Print) -> None:
        self._project = project
        self._show = show
        packages = read_packages(load(project.template), project.build)
        self._code = CodeUpdater(packages, project.deployed, project.root, project.compilers)
        self._stacks = [
            StackUpdater(it.endpoint, it.stack, project.template, project.root)
            for it in project.deployed
        ]
        self._templates: set[Path] = set()
        self._must_build = False
        self._seconds: dict[Kind, list[float]] = {kind: [] for kind in Kind}

    def statistics(self) -> str:
        """Return the number of reloads and their median time by kind."""
        parts = [
            f"{len(it)} of {kind.value} (median {statistics.median(it):.1f} s)"
            for kind, it in self._seconds.items()
            if it
        ]
        return f"Reloads: {', '.join(parts) or 'none'}."

    @property
    def files(self) -> set[Path]:
        """The templates, with the files that they refer to."""
        return {path for it in self._stacks for path in it.node.files()}

    def apply(self, changes: Changes) -> None:
        """Apply changed files by kind: builds, templates, code, then pages."""
        started = _saved(changes)
        kinds: dict[Kind, dict[Path, bytes | None]] = {kind: {} for kind in Kind}
        pages = [it.folder for it in self._project.pages]
        for path, content in changes.items():
            kind = classify(
                path,
                self._code.packages,
                self.files | self._templates,
                pages,
                self._project.build_inputs,
            )
            kinds[kind][path] = content
        try:
            built = self._apply_build(kinds[Kind.BUILD], kinds[Kind.TEMPLATE], started)
            if not built:
                updated = self._apply_templates(kinds[Kind.TEMPLATE], started)
                self._apply_code(kinds[Kind.CODE], updated, started)
            self._apply_pages(kinds[Kind.PAGE], started)
        except (CommandError, ClientError, BotoCoreError) as error:
            self._failed(changes, "the system", started, str(error))
        if kinds[Kind.UNUSED]:
            self._show(f"- {summary(kinds[Kind.UNUSED], self._project.root)}: not in use")

    def _apply_build(self, inputs: Changes, templates: Changes, started: float) -> bool:
        """Build and deploy if a build input changed, also before. Return whether it did."""
        if not inputs and not self._must_build:
            return False
        self._templates |= set(templates)
        self._build({*inputs, *templates}, "a build input changed", started)
        return not self._must_build

    def _build(self, paths: Collection[Path], reason: str, started: float) -> None:
        self._must_build = True
        self._show(f"  {reason}: sam build and sam deploy ...")
        try:
            self._project.rebuild()
        except CommandError as error:
            self._failed(paths, "sam build", started, str(error))
            return
        self._must_build = False
        self._templates.clear()
        self._code.refresh(read_packages(load(self._project.template), self._project.build))
        for stack in self._stacks:
            stack.refresh()
        empty_caches(self._project.distributions)
        self._succeeded(Kind.BUILD, paths, "sam build, sam deploy", started)

    def _apply_templates(self, changes: Changes, started: float) -> bool:
        """Update the stacks. Return whether they were updated."""
        if not changes:
            return False
        self._templates |= set(changes)
        names = ", ".join(it.stack for it in self._stacks)
        nodes = [node for it in self._stacks for node in it.node.all()]
        checked = {node.source.path for node in nodes} & self._templates
        try:
            for path in sorted(checked):
                load(path)
            lint.check(checked, self._project.root)
            for stack in self._stacks:
                stack.update(self._templates)
        except BuildNeededError as error:
            self._build(changes, str(error), started)
            return False
        except CommandError as error:
            self._failed(changes, names, started, self._shortened(str(error)))
            return False
        self._templates.clear()
        self._code.refresh_names()
        self._code.repeat()
        empty_caches(self._project.distributions)
        self._succeeded(Kind.TEMPLATE, changes, names, started)
        # A new handler or variable may not fit the code.
        for message in self._code.start():
            self._show(f"✗ {message}")
        return True

    def _apply_code(self, changes: Changes, updated: bool, started: float) -> None:
        results = self._code.update(changes, with_pending=updated)
        if any(it.error is None for it in results):
            empty_caches(self._project.distributions)
        for group in _grouped(results):
            names, first = ", ".join(it.logical_id for it in group), group[0]
            if first.error is None:
                self._succeeded(Kind.CODE, first.paths, names, started)
            else:
                self._failed(first.paths, names, started, first.error)

    def _apply_pages(self, changes: Changes, started: float) -> None:
        for pages in self._project.pages:
            own = {path: it for path, it in changes.items() if path.is_relative_to(pages.folder)}
            if own:
                pages.update(own)
                empty_caches(self._project.distributions)
                self._succeeded(Kind.PAGE, own, f"s3://{pages.bucket}", started)

    def _succeeded(self, kind: Kind, paths: Collection[Path], target: str, started: float) -> None:
        changed, seconds = summary(paths, self._project.root), time.time() - started
        self._seconds[kind].append(seconds)
        self._show(f"✓ {changed} → {target} {seconds:.1f} s")

    def _failed(self, paths: Collection[Path], target: str, started: float, reason: str) -> None:
        changed = summary(paths, self._project.root)
        seconds = time.time() - started
        self._show(f"✗ {changed} → {target} {seconds:.1f} s: the previous version stays")
        self._show("\n".join(f"  {line}" for line in reason.splitlines()))

    def _shortened(self, message: str) -> str:
        return message.replace(f"{self._project.root}/", "")


def _grouped(results: Iterable[CodeResult]) -> list[list[CodeResult]]:
    """Return lists of results with the same paths and the same error, successes first."""
    groups: dict[tuple[tuple[Path, ...], str | None], list[CodeResult]] = {}
    for result in sorted(results, key=lambda it: it.error is not None):
        groups.setdefault((result.paths, result.error), []).append(result)
    return list(groups.values())


def _saved(changes: Changes) -> float:
    """Return the time of the last save, as far as it can be known, else the current time."""
    now, saved_files = time.time(), []
    for path in changes:
        try:
            saved_files.append(path.stat().st_mtime)
        except OSError:
            continue
    recent = [it for it in saved_files if 0 <= now - it < _MAX_SAVE_AGE_S]
    return max(recent, default=now)
