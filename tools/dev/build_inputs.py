"""Tell whether .aws-sam/build is the output of `sam build` for the current files.

A record covers the contents of what `sam build` reads, and the names, sizes and times of the files
that it wrote: after another `sam build` or a change by hand, the output is built again.
"""

import hashlib
import importlib.metadata
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

#: Files and folders that `sam build` reads. uv.lock decides the versions of SAM CLI and uv.
INPUTS: Final = ("template.yaml", "samconfig.toml", "uv.lock", "src", "stacks")
OUTPUT: Final = ".aws-sam/build"
RECORD: Final = ".meridian/build-inputs.sha256"
#: Environment variables that src/Makefile reads.
VARIABLES: Final = ("ARCHITECTURE",)


def is_current(root: Path, inputs: str) -> bool:
    """Whether `root`/.aws-sam/build is complete, unchanged and made from `inputs`.

    `inputs` is the result of `hash_inputs`.
    """
    try:
        recorded = (root / RECORD).read_text()
    except FileNotFoundError:
        return False
    complete = (root / OUTPUT / "template.yaml").exists()
    return complete and recorded == _record(root, inputs)


def forget(root: Path) -> None:
    """Delete the record. Call it before a build, which may fail."""
    (root / RECORD).unlink(missing_ok=True)


def record(root: Path, inputs: str) -> None:
    """Record that .aws-sam/build was made from `inputs`, which were hashed before."""
    (root / RECORD).parent.mkdir(exist_ok=True)
    (root / RECORD).write_text(_record(root, inputs))


def hash_inputs(root: Path) -> str:
    """Return a SHA-256 of what `sam build` reads, in hexadecimal."""
    return _hash((*_versions(), *_contents(root, INPUTS)))


def _record(root: Path, inputs: str) -> str:
    return f"{inputs} {_hash(_listing(root / OUTPUT))}"


def _hash(lines: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for line in lines:
        digest.update(f"{line}\0".encode())
    return digest.hexdigest()


def _versions() -> Iterator[str]:
    yield importlib.metadata.version("aws-sam-cli")
    yield from (f"{name}={os.environ.get(name, '')}" for name in VARIABLES)


def _contents(root: Path, names: Iterable[str]) -> Iterator[str]:
    for name in names:
        top = root / name
        paths = sorted(_files(top)) if top.is_dir() else [top]
        for path in paths:
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            # The packages keep the permissions of their files.
            yield f"{path.relative_to(root)} {path.stat().st_mode:o} {content}"


def _listing(folder: Path) -> Iterator[str]:
    for path in sorted(_files(folder)):
        status = path.stat()
        yield f"{path.relative_to(folder)} {status.st_size} {status.st_mtime_ns}"


def _files(folder: Path) -> Iterator[Path]:
    for directory, folders, names in folder.walk():
        folders[:] = [name for name in folders if name != "__pycache__"]
        yield from (directory / name for name in names)
