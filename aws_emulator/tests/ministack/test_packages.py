"""Deployment packages are unpacked once."""

import base64
import hashlib
import io
import os
import tempfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.ministack.packages import Packages

_FILES = st.dictionaries(
    st.from_regex(r"[a-z]{1,8}/[a-z]{1,8}\.py", fullmatch=True),
    st.tuples(st.binary(max_size=200), st.sampled_from([0o644, 0o755, 0o600])),
    max_size=6,
)


def _package(files: dict[str, tuple[bytes, int]]) -> tuple[str, bytes]:
    """Return the CodeSha256 and the package."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, (content, mode) in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = mode << 16
            archive.writestr(entry, content)
    package = buffer.getvalue()
    return base64.b64encode(hashlib.sha256(package).digest()).decode(), package


@given(_FILES)
def test_package_is_unpacked_with_contents_and_modes(files: dict[str, tuple[bytes, int]]) -> None:
    with tempfile.TemporaryDirectory() as root:
        directory = Packages(Path(root), Path("/venv/bin/python")).directory(*_package(files))
        task = directory / "task"
        contents = {
            str(path.relative_to(task)): (path.read_bytes(), path.stat().st_mode & 0o777)
            for path in task.rglob("*")
            if path.is_file()
        }
        assert contents == files
        # The bootstrap is beside the package, not in it.
        assert {path.name for path in directory.iterdir()} == {"task", "bootstrap"}


def test_simultaneous_workers_share_one_directory(tmp_path: Path) -> None:
    packages = Packages(tmp_path, Path("/venv/bin/python"))
    digest, package = _package({"big.bin": (os.urandom(2_000_000), 0o644)})
    with ThreadPoolExecutor(8) as workers:
        contents = set(workers.map(lambda _: packages.directory(digest, package), range(8)))
    assert len(contents) == 1
    # A known hash is not unpacked again.
    assert packages.directory(digest, b"no zip") in contents


def test_different_packages_have_different_directories(tmp_path: Path) -> None:
    packages = Packages(tmp_path, Path("/venv/bin/python"))
    first = packages.directory(*_package({"a.py": (b"1", 0o644)}))
    second = packages.directory(*_package({"a.py": (b"2", 0o644)}))
    assert [(path / "task" / "a.py").read_bytes() for path in (first, second)] == [b"1", b"2"]


def test_package_links_files_that_an_earlier_package_contains(tmp_path: Path) -> None:
    packages = Packages(tmp_path, Path("/venv/bin/python"))
    first = packages.directory(*_package({"a.py": (b"1", 0o644), "b.py": (b"1", 0o644)}))
    second = packages.directory(*_package({"a.py": (b"2", 0o644), "b.py": (b"1", 0o644)}))
    assert (second / "task" / "a.py").read_bytes() == b"2"
    assert (first / "task" / "a.py").read_bytes() == b"1"
    assert (second / "task" / "b.py").samefile(first / "task" / "b.py")


@given(_FILES, _FILES)
def test_package_is_unpacked_with_its_own_contents_after_another(
    earlier: dict[str, tuple[bytes, int]], files: dict[str, tuple[bytes, int]]
) -> None:
    with tempfile.TemporaryDirectory() as root:
        packages = Packages(Path(root), Path("/venv/bin/python"))
        packages.directory(*_package(earlier))
        task = packages.directory(*_package(files)) / "task"
        contents = {
            str(path.relative_to(task)): (path.read_bytes(), path.stat().st_mode & 0o777)
            for path in task.rglob("*")
            if path.is_file()
        }
        assert contents == files


def test_bootstrap_starts_runtime_interface_client(tmp_path: Path) -> None:
    packages = Packages(tmp_path, Path("/some where/python"))
    text = (packages.directory(*_package({})) / "bootstrap").read_text()
    assert text.startswith("#!/bin/sh\n")
    assert '"/some where/python" -m awslambdaric "$_HANDLER"' in text
