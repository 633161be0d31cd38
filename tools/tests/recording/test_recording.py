"""Recordings: what they contain, how they are drawn, and what they must not show."""

import json
import os
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.errors import CommandError
from tests.support.paths import ROOT
from tools.recording.cast import CHECKOUT, HEIGHT, MAX_STEPS, Cast, record, without_paths
from tools.recording.svg import LAST_SCREEN_S, MAX_PAUSE_S, draw, frames

PICTURE = ROOT / "docs" / "make-run.svg"
CASTS = [ROOT / "docs" / "make-run.cast"]


def test_command_is_recorded_with_its_exit_code_in_a_terminal() -> None:
    cast = record("test -t 1 && echo terminal; exit 3", os.environ)
    assert "".join(text for _, text in cast.outputs) == "terminal\r\n"
    assert cast.exit_code == 3


def test_recording_is_an_asciicast_that_can_be_read_again(tmp_path: Path) -> None:
    cast = Cast("make run", 0, [(0.5, "one\r\n"), (1.25, "é")])
    cast.write(tmp_path / "folder" / "run.cast")
    header = json.loads((tmp_path / "folder" / "run.cast").read_text().splitlines()[0])
    assert (header["version"], header["width"]) == (2, 100)
    assert Cast.read(tmp_path / "folder" / "run.cast") == cast


def test_file_that_is_not_a_recording_is_reported(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("{}\n[1]")
    for name in ("x", "missing"):
        with pytest.raises(CommandError, match="not a recording"):
            Cast.read(tmp_path / name)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cd /srv/me/app/src", f"cd {CHECKOUT}/src"),
        ("Building /srv/me/ap", "Building …"),
        ("file:///srv/me/app/.meridian/run", f"file://{CHECKOUT}/.meridian/run"),
        ("a/srvx and /usr/bin", "a/srvx and /usr/bin"),
    ],
)
def test_paths_of_the_machine_are_replaced(text: str, expected: str) -> None:
    assert without_paths(text, Path("/srv/me/app")) == expected


def outputs() -> st.SearchStrategy[list[tuple[float, str]]]:
    gaps = st.lists(st.floats(0, 200), max_size=40)
    return gaps.map(lambda it: [(sum(it[: n + 1]), f"line {n} <&>\r\n") for n in range(len(it))])


@given(outputs())
def test_frames_end_with_the_last_screen_and_have_no_long_pause(
    cast_frames: list[tuple[float, str]],
) -> None:
    shown = frames(Cast("make run", 0, cast_frames))
    assert all(0 < frame.seconds <= MAX_PAUSE_S for frame in shown[:-1])
    assert shown[-1].seconds == LAST_SCREEN_S
    text = [" ".join(span.text for span in line) for line in shown[-1].lines]
    assert len(text) <= HEIGHT
    if cast_frames:
        assert f"line {len(cast_frames) - 1} <&>" in text


@given(outputs())
def test_picture_is_well_formed_and_each_row_is_defined(
    cast_frames: list[tuple[float, str]],
) -> None:
    root = ET.fromstring(
        draw([Cast("make run", 0, cast_frames), Cast("make <test>", 0, cast_frames)])
    )
    namespace = "{http://www.w3.org/2000/svg}"
    defined = {it.attrib["id"] for it in root.iter(f"{namespace}text")}
    used = {it.attrib["href"].removeprefix("#") for it in root.iter(f"{namespace}use")}
    assert used <= defined
    assert root.findtext(f"{namespace}title") == (
        "Recording of a terminal: make run, then make <test>"
    )


def test_picture_respects_reduced_motion() -> None:
    assert "prefers-reduced-motion" in draw([Cast("make run", 0, [(1.0, "x")])])


@given(outputs())
def test_condensed_recording_has_the_same_picture(cast_frames: list[tuple[float, str]]) -> None:
    bars = [
        (at, f"\r\x1b[2K\x1b[32m{n}%\x1b[0m" + text * (n % 3))
        for n, (at, text) in enumerate(cast_frames)
    ]
    cast = Cast("make run", 0, bars)
    assert draw([cast.condensed()]) == draw([cast])
    assert len(cast.condensed().outputs) <= MAX_STEPS + 1


def test_condensed_recording_omits_redrawn_lines() -> None:
    bars = [(n / 1000, f"\r\x1b[2K{n}%") for n in range(90)]
    (output,) = Cast("make run", 0, bars).condensed().outputs
    assert output == (0.089, "\r\x1b[2K89%")


def test_picture_of_the_readme_is_drawn_from_its_recording() -> None:
    assert PICTURE.read_text() == draw([Cast.read(path) for path in CASTS])
    assert f"]({PICTURE.relative_to(ROOT)})" in (ROOT / "README.md").read_text()


def test_picture_of_the_readme_shows_no_path_of_a_machine() -> None:
    text = " ".join(ET.parse(PICTURE).getroot().itertext())
    paths = set(re.findall(r"/(?:home|root|work|tmp|Users|srv|mnt)/[^\s<]*", text))
    assert {path for path in paths if not path.startswith(CHECKOUT)} == set()
