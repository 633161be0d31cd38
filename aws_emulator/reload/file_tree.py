"""The content of watched files, so that only real changes are applied.

An editor's save is several events: a temporary file, a rename, a change of the time. `FileTree`
compares content and doesn't rely on the kind or the order of events.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

#: Folders that contain no sources.
IGNORED_FOLDERS: Final = frozenset(
    {
        ".aws-sam",
        ".git",
        ".hypothesis",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
        ".venv",
        "__pycache__",
        "node_modules",
    }
)
#: Endings of editors' temporary and backup files.
_IGNORED_SUFFIXES: Final = ("~", ".swp", ".swx", ".tmp", ".pyc", ".orig", ".rej", ".part")


def is_source(path: Path, root: Path) -> bool:
    """Return whether a path below `root` is a source, not a cache or an editor's temporary file."""
    # A root may be a file.
    *folders, name = path.relative_to(root).parts or (path.name,)
    return (
        IGNORED_FOLDERS.isdisjoint(folders)
        # Hidden files: Emacs's locks (.#name), Vim's swap files, macOS's .DS_Store.
        and not name.startswith((".", "#"))
        and not name.endswith(_IGNORED_SUFFIXES)
    )


@dataclass
class FileTree:
    """The digests of the sources below `roots` when they were last read."""

    roots: Sequence[Path]
    _digests: dict[Path, bytes] = field(default_factory=dict)

    def scan(self) -> None:
        """Read all sources; later changes are relative to them."""
        self._digests = {}
        self.changes(self.roots)

    def changes(self, paths: Iterable[Path]) -> dict[Path, bytes | None]:
        """Return the sources at or below `paths` that changed since the last call, by path.

        The value is the new content, None for a deleted file. A folder stands for all files that
        are or were below it, because a renamed folder is one event.
        """
        changed_files: dict[Path, bytes | None] = {}
        for path in sorted(self._expanded(paths)):
            content = _read(path)
            digest = None if content is None else hashlib.sha256(content).digest()
            if digest == self._digests.get(path):
                continue
            if digest is None:
                del self._digests[path]
            else:
                self._digests[path] = digest
            changed_files[path] = content
        return changed_files

    def all_changes(self) -> dict[Path, bytes | None]:
        """Return all changes below the roots since the last call."""
        return self.changes(self.roots)

    def _expanded(self, paths: Iterable[Path]) -> set[Path]:
        expanded: set[Path] = set()
        for path in paths:
            root = next((it for it in self.roots if path.is_relative_to(it)), None)
            if root is None:
                continue
            candidates = {path, *(it for it in self._digests if it.is_relative_to(path))}
            if path.is_dir():
                candidates.update(_files_below(path))
            expanded.update(it for it in candidates if is_source(it, root))
        return expanded


def _files_below(folder: Path) -> Iterable[Path]:
    for directory, folders, files in folder.walk():
        folders[:] = [it for it in folders if it not in IGNORED_FOLDERS]
        yield from (directory / name for name in files)


def _read(path: Path) -> bytes | None:
    # A file can be deleted or replaced by a folder after the event.
    try:
        return path.read_bytes()
    except OSError:
        return None


def relative(path: Path, base: Path) -> str:
    """Return a path as a message shows it: relative to `base` if it is below it."""
    return path.relative_to(base).as_posix() if path.is_relative_to(base) else str(path)


def summary(paths: Iterable[Path], base: Path, limit: int = 3) -> str:
    """Return up to `limit` of the paths, and the number of the others."""
    names = sorted(relative(it, base) for it in paths)
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


type Changes = Mapping[Path, bytes | None]
