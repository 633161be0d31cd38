"""The lesson's video: its pictures are right, and its files are complete and have captions."""

import re
from typing import Final
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import lesson_video
from tests.support.paths import ROOT

FOLDER: Final = ROOT / "web" / "members" / "media" / "lesson-one"
LANGUAGES: Final = ("en", "hi", "vi")
MAX_BYTES: Final = 300_000


@given(st.sampled_from(lesson_video.CITIES))
def test_city_faces_the_sun_at_its_noon(city: lesson_video.City) -> None:
    x, y = lesson_video.position(city, lesson_video.noon_utc(city))
    # The sun is at the left edge, in the middle of the height.
    assert y == pytest.approx(lesson_video.HEIGHT / 2)
    hours = [lesson_video.position(city, hour / 4)[0] for hour in range(96)]
    assert x == pytest.approx(min(hours), abs=1)


@given(st.sampled_from(lesson_video.CITIES), st.floats(0, 24))
def test_earth_turns_once_in_a_day(city: lesson_video.City, hours: float) -> None:
    now, later = (lesson_video.position(city, it) for it in (hours, hours + 24))
    assert now == pytest.approx(later)
    assert lesson_video.clock(city, hours) == lesson_video.clock(city, hours + 24)


def test_clocks_agree_with_the_captions() -> None:
    hanoi, mumbai, london = lesson_video.CITIES
    shown = [lesson_video.clock(it, lesson_video.noon_utc(it)) for it in (hanoi, mumbai, london)]
    assert shown == ["11:57", "12:38", "12:00"]
    captions = (FOLDER / "captions.en.vtt").read_text()
    assert shown[0] in captions
    assert shown[1] in captions


@given(st.floats(0, lesson_video.DURATION_S))
def test_frame_is_svg_with_each_city(seconds: float) -> None:
    svg = ElementTree.fromstring(lesson_video.frame(seconds))
    texts = [it.text for it in svg.iter("{http://www.w3.org/2000/svg}text")]
    for city in lesson_video.CITIES:
        assert texts.count(city.name) == 2


def test_poster_is_a_moment_of_the_video() -> None:
    assert lesson_video.POSTER.read_text() == lesson_video.frame(lesson_video.POSTER_S) + "\n"
    assert 'poster="/lesson-one.svg"' in (ROOT / "web/members/premium/index.html").read_text()


def test_stream_is_complete_and_small() -> None:
    playlist = (FOLDER / "stream.m3u8").read_text()
    segments = re.findall(r"^segment-\d\d\.m4s$", playlist, re.MULTILINE)
    assert len(segments) == lesson_video.DURATION_S // lesson_video.SEGMENT_S
    for name in ("init.mp4", *segments):
        assert (FOLDER / name).stat().st_size > 0
    assert sum(it.stat().st_size for it in FOLDER.iterdir()) < MAX_BYTES
    command = lesson_video.ffmpeg_command()
    assert command[command.index("-hls_segment_filename") + 1] % 0 == segments[0]


def cues(language: str) -> list[tuple[str, str]]:
    """Return the times of each cue of the captions in a language."""
    text = (FOLDER / f"captions.{language}.vtt").read_text()
    assert text.startswith("WEBVTT\n\n")
    return re.findall(r"^([\d:.]+) --> ([\d:.]+)\n\S", text, re.MULTILINE)


def test_captions_cover_the_video_without_gaps_in_each_language() -> None:
    times = cues("en")
    assert times[0][0] == "00:00.000"
    assert times[-1][1] == f"00:{lesson_video.DURATION_S}.000"
    assert [end for _, end in times[:-1]] == [start for start, _ in times[1:]]
    assert {tuple(cues(it)) for it in LANGUAGES} == {tuple(times)}
    page = (ROOT / "web" / "members" / "premium" / "index.html").read_text()
    assert re.findall(r'data-src="/media/lesson-one/captions\.(\w+)\.vtt"', page) == [*LANGUAGES]
