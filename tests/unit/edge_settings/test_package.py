"""A package with its settings: everything that was there, and one file more."""

import io
import json
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_settings.errors import PackageError
from edge_settings.package import SETTINGS_NAME, with_settings
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
def test_adds_the_settings_and_keeps_the_rest(
    files: dict[str, bytes], settings: dict[str, object]
) -> None:
    made = unzipped(with_settings(zipped(files), settings))
    assert json.loads(made.pop(SETTINGS_NAME)) == settings
    assert made == files


@given(files=FILES, settings=json_objects)
def test_equal_input_gives_equal_bytes_in_any_order(
    files: dict[str, bytes], settings: dict[str, object]
) -> None:
    turned = dict(reversed(list(settings.items())))
    there = dict(reversed(list(files.items())))
    assert with_settings(zipped(files), settings) == with_settings(zipped(there), turned)


@given(files=FILES, first=json_objects, second=json_objects)
def test_new_settings_replace_the_old(
    files: dict[str, bytes], first: dict[str, object], second: dict[str, object]
) -> None:
    once = with_settings(zipped(files), first)
    assert with_settings(once, second) == with_settings(zipped(files), second)


def test_what_is_no_zip_is_refused() -> None:
    with pytest.raises(PackageError, match="not a zip"):
        with_settings(b"not a zip", {})
