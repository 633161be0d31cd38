"""Make the video of the first lesson: the earth from above the North Pole, for one day.

    python -m tests.support.lesson_video FOLDER

`frame` draws a moment as SVG, Chromium turns it into a picture, and ffmpeg 7 or later (on the PATH)
writes an HLS stream with segments of four seconds: VP9 in fragmented MP4, which every browser with
Media Source Extensions plays.
"""

import math
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support.chromium import launched
from tests.support.paths import ROOT

WIDTH: Final = 640
HEIGHT: Final = 360
FRAMES_PER_S: Final = 10
DURATION_S: Final = 48
SEGMENT_S: Final = 4
#: The picture before the video starts: a moment of it, in seconds.
POSTER: Final = ROOT / "web" / "public" / "lesson-one.svg"
POSTER_S: Final = 14.25
_HOURS: Final = 24
_DEGREES_PER_HOUR: Final = 15
_CENTRE: Final = (220, 180)
_RADIUS: Final = 118


@dataclass(frozen=True, slots=True)
class City:
    """A city with its longitude in degrees east, and the offset of its clocks from UTC in hours."""

    name: str
    longitude: float
    offset_hours: float


CITIES: Final = (
    City("Hanoi", 105.8, 7),
    City("Mumbai", 72.9, 5.5),
    City("London", -0.1, 0),
)


def noon_utc(city: City) -> float:
    """Return the hour in UTC at which the mean sun is above a city's meridian."""
    return (12 - city.longitude / _DEGREES_PER_HOUR) % _HOURS


def clock(city: City, utc_hours: float) -> str:
    """Return what a clock in the city shows, such as "07:30"."""
    minutes = round((utc_hours + city.offset_hours) * 60) % (_HOURS * 60)
    return f"{minutes // 60:02}:{minutes % 60:02}"


def position(city: City, utc_hours: float) -> tuple[float, float]:
    """Return where a city is in the picture. The earth turns anticlockwise, the sun is left."""
    angle = math.radians(180 + (utc_hours - noon_utc(city)) * _DEGREES_PER_HOUR)
    x, y = _CENTRE
    return x + _RADIUS * math.cos(angle), y - _RADIUS * math.sin(angle)


def frame(seconds: float) -> str:
    """Return the picture at a time of the video as SVG."""
    utc_hours = seconds * _HOURS / DURATION_S
    x, y = _CENTRE
    turn = -utc_hours * _DEGREES_PER_HOUR
    spokes = "".join(
        f'<path d="M{x} {y}v-{_RADIUS}" transform="rotate({turn + angle:.2f} {x} {y})"/>'
        for angle in range(0, 360, _DEGREES_PER_HOUR * 2)
    )
    parts = [_city(city, utc_hours, row) for row, city in enumerate(CITIES)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif">'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#0c1122"/>'
        '<circle cx="0" cy="180" r="74" fill="#ffb938" opacity=".2"/>'
        '<circle cx="0" cy="180" r="46" fill="#ffb938"/>'
        f'<path d="M52 180h{x - _RADIUS - 62}" stroke="#ffb938" stroke-width="2" '
        'stroke-dasharray="2 8" stroke-linecap="round"/>'
        f'<circle cx="{x}" cy="{y}" r="{_RADIUS}" fill="#3a49c9"/>'
        f'<path d="M{x} {y - _RADIUS}a{_RADIUS} {_RADIUS} 0 0 1 0 {2 * _RADIUS}z" fill="#1e2750"/>'
        f'<g stroke="#8f9bff" stroke-opacity=".55">{spokes}'
        f'<circle cx="{x}" cy="{y}" r="{_RADIUS * 2 // 3}" fill="none"/>'
        f'<circle cx="{x}" cy="{y}" r="{_RADIUS // 3}" fill="none"/></g>'
        f'<circle cx="{x}" cy="{y}" r="4" fill="#fff"/>{"".join(parts)}</svg>'
    )


def _city(city: City, utc_hours: float, row: int) -> str:
    """Return a city's point on the earth, and its clock."""
    x, y = position(city, utc_hours)
    hours_from_noon = (utc_hours - noon_utc(city) + 12) % _HOURS - 12
    is_noon = abs(hours_from_noon) < 0.75
    is_day = abs(hours_from_noon) < 6
    top = 62 + row * 86
    edge, fill = ("#ffb938", "#33280f") if is_noon else ("#28314f", "#151c35")
    word = "noon" if is_noon else ("day" if is_day else "night")
    return (
        f'<circle cx="{x:.2f}" cy="{y:.2f}" r="7" fill="{"#ffb938" if is_noon else "#fff"}"/>'
        f'<text x="{x + (12 if x > _CENTRE[0] else -12):.2f}" y="{y + 5:.2f}" font-size="14" '
        f'fill="#e9ecf8" text-anchor="{"start" if x > _CENTRE[0] else "end"}">{city.name}</text>'
        f'<rect x="448" y="{top}" width="160" height="70" rx="12" fill="{fill}" stroke="{edge}" '
        'stroke-width="2"/>'
        f'<text x="464" y="{top + 26}" font-size="15" fill="#a3adc9">{city.name}</text>'
        f'<text x="592" y="{top + 26}" font-size="13" fill="#a3adc9" text-anchor="end">'
        f"{word}</text>"
        f'<text x="464" y="{top + 56}" font-size="26" font-weight="700" fill="#fff">'
        f"{clock(city, utc_hours)}</text>"
    )


def pictures() -> Iterator[bytes]:
    """Yield each frame as PNG."""
    with launched() as browser:
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.set_content("<style>body{margin:0}</style><main></main>")
        for number in range(DURATION_S * FRAMES_PER_S):
            svg = frame(number / FRAMES_PER_S)
            page.evaluate("svg => { document.querySelector('main').innerHTML = svg; }", svg)
            yield page.screenshot(type="png")


def ffmpeg_command() -> list[str]:
    """Return the command that reads PNG files from its input and writes the stream."""
    keyframes = str(FRAMES_PER_S * SEGMENT_S)
    return [
        *("ffmpeg", "-y", "-loglevel", "error", "-bitexact"),
        *("-f", "image2pipe", "-framerate", str(FRAMES_PER_S), "-c:v", "png", "-i", "-"),
        *("-c:v", "libvpx-vp9", "-crf", "38", "-b:v", "0", "-g", keyframes),
        *("-keyint_min", keyframes, "-deadline", "good", "-cpu-used", "2", "-pix_fmt", "yuv420p"),
        *("-f", "hls", "-hls_time", str(SEGMENT_S), "-hls_playlist_type", "vod"),
        *("-hls_segment_type", "fmp4", "-hls_fmp4_init_filename", "init.mp4"),
        *("-hls_segment_filename", "segment-%02d.m4s", "-master_pl_name", "index.m3u8"),
        "stream.m3u8",
    ]


def main(arguments: Sequence[str]) -> int:
    """Write the stream into a folder, and return the exit code."""
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    POSTER.write_text(frame(POSTER_S) + "\n")
    command = ffmpeg_command()
    with subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        for picture in pictures():
            process.stdin.write(picture)
        process.stdin.close()
    return process.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
