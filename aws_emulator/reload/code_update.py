"""Apply changed sources to the deployed functions that contain them."""

import ast
import os
import re
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from aws_emulator.deployed_functions import function_names
from aws_emulator.endpoint import Endpoint
from aws_emulator.function_controls import StartFailure, replace_files
from aws_emulator.function_controls import start as start_function
from aws_emulator.reload.file_tree import relative
from aws_emulator.reload.function_packages import (
    Compile,
    FunctionPackage,
    affected,
    compile_module,
    importers_first,
)

#: The messages of an ImportError.
_IMPORT_ERROR: Final = re.compile(
    r"No module named '([\w.]+)'|cannot import name '(\w+)' from '([\w.]+)'"
)

#: Compilers of functions whose package has bytecode only, by logical ID.
type Compilers = Mapping[str, Compile]


@dataclass(frozen=True)
class Deployed:
    """A root stack in the Region of `endpoint`."""

    endpoint: Endpoint
    stack: str


@dataclass(frozen=True)
class CodeResult:
    """The result of a change for one function. `error` is a message, or None."""

    logical_id: str
    paths: tuple[Path, ...]
    seconds: float
    error: str | None = None


@dataclass
class CodeUpdater:
    """Keep the functions' code equal to the sources.

    A change that a function can't start with stays pending: the function's next change is applied
    together with it, so that a change of two files may be saved one after the other.
    """

    packages: Sequence[FunctionPackage]
    deployed: Sequence[Deployed]
    base: Path
    compilers: Compilers = field(default_factory=dict)
    _pending: dict[str, dict[Path, bytes | None]] = field(default_factory=dict)
    _applied: dict[str, dict[str, bytes | None]] = field(default_factory=dict)
    _names: list[dict[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.refresh(self.packages)

    def refresh(self, packages: Sequence[FunctionPackage]) -> None:
        """Start again after a build and a deployment of all sources."""
        self.packages = packages
        self._pending, self._applied = {}, {}
        self.refresh_names()

    def refresh_names(self) -> None:
        """Read the names of the deployed functions again."""
        self._names = [
            function_names(it.endpoint.client("cloudformation"), it.stack) for it in self.deployed
        ]

    def update(
        self, changes: Mapping[Path, bytes | None], with_pending: bool = False
    ) -> list[CodeResult]:
        """Apply changes to the functions that contain them. Return one result per function.

        Functions that import a changed module come first, so that the next request sees it soon.
        `with_pending` also tries the pending changes of other functions, for example after their
        environment changed.
        """
        concerned = affected(self.packages, changes)
        for logical_id, own in concerned.items():
            self._pending.setdefault(logical_id, {}).update(own)
        ids = set(self._pending) if with_pending else set(concerned)
        chosen = importers_first((it for it in self.packages if it.logical_id in ids), changes)
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            return list(threads.map(self._update, chosen))

    def repeat(self) -> None:
        """Apply all changes since the build again, to functions that a deployment replaced."""
        for package in self.packages:
            if files := self._applied.get(package.logical_id):
                self._replace(package, files)

    def start(self) -> list[str]:
        """Start the functions without a process, and return a message for each that can't start."""
        pairs = [
            (deployed.endpoint, name)
            for deployed, names in zip(self.deployed, self._names, strict=True)
            for name in names.values()
        ]
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            failures = threads.map(lambda pair: start_function(*pair), pairs)
            return [it.text() for it in failures if it is not None]

    def _update(self, package: FunctionPackage) -> CodeResult:
        started = time.monotonic()
        changes = self._pending[package.logical_id]
        paths = tuple(sorted(changes))
        error = self._apply(package, changes)
        if error is None:
            del self._pending[package.logical_id]
        return CodeResult(package.logical_id, paths, time.monotonic() - started, error)

    def _apply(self, package: FunctionPackage, changes: Mapping[Path, bytes | None]) -> str | None:
        files: dict[str, bytes | None] = {}
        compiler = self.compilers.get(package.logical_id, compile_module)
        for path, content in changes.items():
            name = path.relative_to(package.source).as_posix()
            try:
                files |= package.files(name, content, compiler)
            except (SyntaxError, ValueError) as error:
                return syntax_message(error, relative(path, self.base))
        failure = self._replace(package, files)
        if failure is not None:
            text = failure.text(f"{relative(package.source, self.base)}/")
            location = import_location(failure.message, _modules(package, changes))
            return (
                text
                if location is None
                else f"{relative(location[0], self.base)}:{location[1]}: {text}"
            )
        self._applied.setdefault(package.logical_id, {}).update(files)
        return None

    def _replace(
        self, package: FunctionPackage, files: Mapping[str, bytes | None]
    ) -> StartFailure | None:
        for deployed, names in zip(self.deployed, self._names, strict=True):
            # A condition may leave a function out of a Region.
            if (name := names.get(package.logical_id)) is not None:
                failure = replace_files(deployed.endpoint, name, files)
                if failure is not None:
                    return failure
        return None


def _modules(
    package: FunctionPackage, changes: Mapping[Path, bytes | None]
) -> dict[Path, bytes | None]:
    """Return the modules of a package with their sources, the changed ones first."""
    others = {
        path: path.read_bytes()
        for name in sorted(package.sources)
        if name.endswith(".py")
        and package.contains(name)
        and (path := package.source / name) not in changes
        and path.is_file()
    }
    return {path: it for path, it in changes.items() if path.suffix == ".py"} | others


def import_location(message: str, modules: Mapping[Path, bytes | None]) -> tuple[Path, int] | None:
    """Return the file and line of the import that `message` complains about, or None.

    The runtime interface client reports an ImportError without a traceback.
    """
    match = _IMPORT_ERROR.search(message)
    if match is None:
        return None
    module, name, origin = match.groups()
    for path, source in modules.items():
        try:
            tree = ast.parse(source or b"")
        except (SyntaxError, ValueError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                matches = any(it.name == module for it in node.names)
            elif isinstance(node, ast.ImportFrom):
                names = {it.name for it in node.names}
                matches = (
                    node.module == module
                    or module in {f"{node.module}.{it}" for it in names}
                    or (node.module == origin and name in names)
                )
            else:
                continue
            if matches:
                return path, node.lineno
    return None


def syntax_message(error: SyntaxError | ValueError, path: str) -> str:
    """Return `file:line: SyntaxError: reason` with the line of the source.

    A ValueError is a source with a null byte.
    """
    if not isinstance(error, SyntaxError):
        return f"{path}: {error}"
    text = f"{path}:{error.lineno}: {type(error).__name__}: {error.msg}"
    return f"{text}\n    {error.text.strip()}" if error.text else text
