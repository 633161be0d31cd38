"""Adding settings.json to a package keeps the other files and is reproducible."""

import io
import json
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_settings.errors import PackageError
from edge_settings.package import SETTINGS_NAME, add_settings
from tests.strategies import json_objects

FILES = st.dictionaries(
    st.from_regex(r"[a-z]{1,8}(/[a-z]{1,8}){0,2}\.(py|pyc)", fullmatch=True),
    st.binary(max_size=200),
    max_size=6,
)


def zipped(files: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return target.getvalue()


def unzipped(package: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@given(files=FILES, settings=json_objects)
def test_add_settings_keeps_other_files(
    files: dict[str, bytes], settings: dict[str, object]
) -> None:
    files_in_package = unzipped(add_settings(zipped(files), settings))
    assert json.loads(files_in_package.pop(SETTINGS_NAME)) == settings
    assert files_in_package == files


@given(files=FILES, settings=json_objects)
def test_equal_input_gives_equal_bytes_in_any_order(
    files: dict[str, bytes], settings: dict[str, object]
) -> None:
    reordered_settings = dict(reversed(list(settings.items())))
    reordered_files = dict(reversed(list(files.items())))
    assert add_settings(zipped(files), settings) == add_settings(
        zipped(reordered_files), reordered_settings
    )


@given(files=FILES, first=json_objects, second=json_objects)
def test_new_settings_replace_existing(
    files: dict[str, bytes], first: dict[str, object], second: dict[str, object]
) -> None:
    updated = add_settings(zipped(files), first)
    assert add_settings(updated, second) == add_settings(zipped(files), second)


def test_malformed_package_is_rejected() -> None:
    with pytest.raises(PackageError, match="not a zip"):
        add_settings(b"not a zip", {})
