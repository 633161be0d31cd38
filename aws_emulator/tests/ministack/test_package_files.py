"""Files of a package are replaced without changing the others."""

import io
import zipfile

from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.ministack.package_files import replace_files, unchanged

_NAMES = st.sampled_from(["a.py", "b.py", "c/d.py", "c/e.pyc"])
_FILES = st.dictionaries(_NAMES, st.binary(max_size=64))
_CHANGES = st.dictionaries(_NAMES, st.none() | st.binary(max_size=64))


def _package(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _content(package: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == len(set(archive.namelist()))
        return {name: archive.read(name) for name in archive.namelist()}


@given(_FILES, st.lists(_CHANGES, max_size=4))
def test_changes_apply_as_to_a_folder(
    files: dict[str, bytes], changes: list[dict[str, bytes | None]]
) -> None:
    package, expected = _package(files), dict(files)
    for change in changes:
        package = replace_files(package, change)
        for name, content in change.items():
            if content is None:
                expected.pop(name, None)
            else:
                expected[name] = content
    assert _content(package) == expected


@given(_FILES, _CHANGES)
def test_package_is_unchanged_exactly_if_replacement_gives_equal_files(
    files: dict[str, bytes], change: dict[str, bytes | None]
) -> None:
    package = _package(files)
    equal = _content(replace_files(package, change)) == files
    assert unchanged(package, change) == equal
    assert unchanged(replace_files(package, change), change)


def test_replaced_file_keeps_its_permissions() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        entry = zipfile.ZipInfo("tool")
        entry.external_attr = 0o755 << 16
        archive.writestr(entry, b"1")
    changed = replace_files(buffer.getvalue(), {"tool": b"2", "new.py": b""})
    with zipfile.ZipFile(io.BytesIO(changed)) as archive:
        modes = {it.filename: it.external_attr >> 16 for it in archive.infolist()}
    assert modes == {"tool": 0o755, "new.py": 0o644}
