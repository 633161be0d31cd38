"""`python -m tools.setup.disk_usage`: print the disk that the set-up of this checkout uses.

Files that the environments share with uv's cache (hard links) are counted once. The figures are the
source of NEEDED_BYTES in bootstrap.py.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.setup.bootstrap import ENVIRONMENTS, NEEDED_BYTES, ROOT, STATE

#: The unit of `st_blocks` (POSIX, sys/stat.h; Linux stat(2)).
BLOCK_BYTES: Final = 512


@dataclass(frozen=True)
class Usage:
    """Allocated bytes. `shared` is the part with further hard links, normally in uv's cache."""

    total: int
    shared: int


def measure(folders: Iterable[Path]) -> Usage:
    """Return the disk that folders use. Each file is counted once."""
    seen: set[tuple[int, int]] = set()
    total = shared = 0
    for path in (path for folder in folders for path in _tree(folder)):
        status = path.lstat()
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        size = status.st_blocks * BLOCK_BYTES
        total += size
        if status.st_nlink > 1 and not path.is_dir():
            shared += size
    return Usage(total, shared)


def _tree(folder: Path) -> Iterator[Path]:
    yield from [folder] if folder.exists() else []
    for parent, folders, files in os.walk(folder):
        yield from (Path(parent, name) for name in (*folders, *files))


def main() -> None:
    """Print the figures."""
    names = [ROOT / name for name, _, _ in ENVIRONMENTS]
    usage = measure([*names, STATE / "bin", STATE / "python", STATE / "uv-cache"])
    megabytes = 10**6
    print(f"environments and uv          {usage.total / megabytes:8,.0f} MB")
    print(f"  shared with uv's cache     {usage.shared / megabytes:8,.0f} MB")
    print(f"  with a filled cache        {(usage.total - usage.shared) / megabytes:8,.0f} MB")
    for folder in sorted(it for it in ROOT.glob(".venv-*") if it not in names):
        print(f"{folder.name:<29}{measure([folder]).total / megabytes:8,.0f} MB")
    print(f"required free disk           {NEEDED_BYTES / megabytes:8,.0f} MB")


if __name__ == "__main__":
    main()
