"""Deployment packages on disk. Each is unpacked once for all workers."""

import base64
import contextlib
import io
import os
import shutil
import threading
import zipfile
from pathlib import Path
from typing import Final

#: AWS limits a function's total memory. Without privileges a process can only be given a limit of
#: its data segment (ulimit -d, in KiB), beyond which Python raises MemoryError.
_BOOTSTRAP: Final = """\
#!/bin/sh
ulimit -Sd $((AWS_LAMBDA_FUNCTION_MEMORY_SIZE * 1024))
cd "$LAMBDA_TASK_ROOT" && exec "{python}" -m awslambdaric "$_HANDLER"
"""


class Packages:
    """Directories by SHA-256 of the package, each with `task/` (the package) and `bootstrap`."""

    def __init__(self, root: Path, python: Path) -> None:
        """Write the bootstrap that starts `python -m awslambdaric`. Call it before any fork.

        All packages share one script: a script that is open for writing in a fork can't be
        executed.
        """
        self._root = root
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()
        #: Unpacked files by name, mode, size and CRC-32. A package that differs from an earlier one
        #: in few files links the others, because unpacking 100 MB takes seconds.
        self._files: dict[tuple[str, int, int, int], str] = {}
        root.mkdir(parents=True, exist_ok=True)
        self._bootstrap = root / "bootstrap"
        self._bootstrap.write_text(_BOOTSTRAP.format(python=python))
        self._bootstrap.chmod(0o755)

    def directory(self, code_sha256: str, package: bytes) -> Path:
        """Return the directory of a package, unpacked at its first use. The hash is in base64."""
        name = base64.b64decode(code_sha256).hex()
        with self._guard:
            lock = self._locks.setdefault(name, threading.Lock())
        with lock:
            directory = self._root / name
            if not directory.exists():
                unfinished = self._root / f"{name}.unfinished"
                shutil.rmtree(unfinished, ignore_errors=True)
                self._unpack(package, unfinished / "task", directory / "task")
                (unfinished / "bootstrap").symlink_to(self._bootstrap)
                unfinished.rename(directory)
            return directory

    def _unpack(self, package: bytes, target: Path, final: Path) -> None:
        target.mkdir(parents=True)
        unpacked: dict[tuple[str, int, int, int], str] = {}
        with zipfile.ZipFile(io.BytesIO(package)) as archive:
            for entry in archive.infolist():
                mode = (entry.external_attr >> 16) & 0o777
                key = (entry.filename, mode, entry.file_size, entry.CRC)
                if entry.is_dir() or not _link(self._files.get(key), target / entry.filename):
                    path = archive.extract(entry, target)
                    if mode and not entry.is_dir():
                        os.chmod(path, mode | 0o400)  # noqa: PTH101 - extract() names a str
                unpacked[key] = str(final / entry.filename)
        self._files |= unpacked


def _link(source: str | None, target: Path) -> bool:
    """Create a hard link to an unpacked file. Return False if there is none, or it is gone."""
    if source is None or ".." in target.parts:
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(OSError):
        target.hardlink_to(source)
        return True
    return False
