"""Follow the files of a project until the caller interrupts."""

import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aws_emulator.reload.file_tree import FileTree
from aws_emulator.reload.reloader import Reloader
from aws_emulator.reload.templates import SourceTemplate, TemplateError, load
from aws_emulator.reload.watcher import Watcher

#: An editor may truncate a file before it writes it.
_SETTLE_S: Final = 0.03


@dataclass(frozen=True)
class Sources:
    """The folders and the single files that a project consists of."""

    folders: tuple[Path, ...]
    files: tuple[Path, ...]

    @classmethod
    def of(cls, template: Path, others: Iterable[Path] = ()) -> "Sources":
        """Return the sources of a template and its nested templates, and the folders `others`.

        The template's own folder isn't watched unless it contains a function's code, because it
        has caches and logs; its files are.

        Raises:
            TemplateError: A template can't be read.
        """
        folders, files = set(others), set[Path]()
        for each in _templates(load(template)):
            files |= each.files()
            code = (each.code_directory(it) for it in each.resources)
            folders.update(it for it in code if it is not None)
        folders |= {it.parent for it in files if it.parent != template.parent}
        outer = {it for it in folders if it.is_dir() and not folders & set(it.parents)}
        single = {it for it in files if not outer & set(it.parents)}
        return cls(tuple(sorted(outer)), tuple(sorted(single)))

    def tree(self) -> FileTree:
        """Return the current content of the sources."""
        tree = FileTree([*self.folders, *self.files])
        tree.scan()
        return tree


def _templates(template: SourceTemplate) -> Iterable[SourceTemplate]:
    yield template
    for path in template.nested().values():
        yield from _templates(load(path))


def follow(
    reloader: Reloader,
    tree: FileTree,
    sources: Callable[[], Sources],
    idle: Callable[[], None] = lambda: None,
    interval_s: float | None = None,
) -> None:
    """Apply changes until an exception, such as KeyboardInterrupt.

    `tree` has the content that is deployed, so that a save during the start isn't lost. `idle` is
    called after each change and every `interval_s` seconds.
    """
    current = sources()
    while True:
        with Watcher(current.folders, current.files) as watcher:
            tree.roots = [*current.folders, *current.files]
            paths: Collection[Path] = tree.roots
            while True:
                if changes := _settled(tree, paths):
                    reloader.apply(changes)
                    if (new_sources := _sources_or(sources, current)) != current:
                        current = new_sources
                        break
                idle()
                paths = watcher.wait(interval_s)


def _sources_or(sources: Callable[[], Sources], current: Sources) -> Sources:
    """Return the sources, or the current ones while a template can't be read."""
    try:
        return sources()
    except TemplateError:
        return current


def _settled(tree: FileTree, paths: Collection[Path]) -> dict[Path, bytes | None]:
    """Return the changes as soon as the files stay the same for a moment."""
    changes = tree.changes(paths)
    while changes:
        time.sleep(_SETTLE_S)
        more = tree.changes(paths)
        if not more:
            break
        changes |= more
    return changes
