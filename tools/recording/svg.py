"""Draw recordings as one animated SVG: a strip of screens that moves by one screen per step."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

from tools.recording.cast import HEIGHT, WIDTH, Cast
from tools.recording.screen import Screen, Span

type Lines = tuple[tuple[Span, ...], ...]

LINE_HEIGHT_PX: Final = 18
CHARACTER_WIDTH_PX: Final = 8.1
PADDING_PX: Final = 14
#: The seconds for which the longest and the last screen of a command are shown.
MAX_PAUSE_S: Final = 1.2
LAST_SCREEN_S: Final = 5.0
PROMPT_S: Final = 1.0
#: The recorded seconds that one shown second stands for.
SPEED: Final = 8.0
_STYLE: Final = (
    "text{font:13.5px ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#d6dde6;"
    "white-space:pre}.b{fill:#fff;font-weight:bold}.d{fill:#93a1b0}.g{fill:#8fd18f}.r{fill:#ff8f86}"
    ".y{fill:#f0c674}.c{fill:#6bb8d6}"
)


@dataclass(frozen=True)
class Frame:
    """One screen, and the seconds for which it is shown."""

    lines: Lines
    seconds: float


def frames(cast: Cast) -> list[Frame]:
    """Return the screens of a recording, faster than it ran and with short pauses."""
    prompt = f"\x1b[32m$ {cast.command}\x1b[0m\r\n"
    screen = Screen(WIDTH)
    screen.write(prompt)
    shown = [Frame(screen.last_lines(HEIGHT), PROMPT_S)]
    last = 0.0
    for at, text in cast.steps():
        screen.write(text)
        lines = screen.last_lines(HEIGHT)
        if lines != shown[-1].lines:
            shown.append(Frame(lines, min(max((at - last) / SPEED, 0.1), MAX_PAUSE_S)))
        last = at
    return [*shown[:-1], Frame(shown[-1].lines, LAST_SCREEN_S)]


def draw(casts: Sequence[Cast]) -> str:
    """Return the SVG document of recordings that follow each other.

    The document shows the last screen without animation if the reader prefers reduced motion.
    """
    strip = [frame for cast in casts for frame in frames(cast)]
    width = round(WIDTH * CHARACTER_WIDTH_PX + 2 * PADDING_PX)
    height = HEIGHT * LINE_HEIGHT_PX + 2 * PADDING_PX
    seconds = sum(frame.seconds for frame in strip)
    commands = ", then ".join(cast.command for cast in casts)
    rows = _Rows()
    screens = "".join(
        f'<g transform="translate({number * width} 0)">{rows.place(frame.lines)}</g>'
        for number, frame in enumerate(strip)
    )
    animation = (
        f"#s{{animation:s {seconds:.1f}s step-end infinite}}"
        f"@keyframes s{{{_keyframes(strip, width, seconds)}}}"
        f"@media (prefers-reduced-motion:reduce){{#s{{animation:none;"
        f"transform:translateX({-(len(strip) - 1) * width}px)}}}}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img">'
        f"<title>Recording of a terminal: {escape(commands)}</title>"
        f"<style>{_STYLE}{animation}</style><defs>{rows.definitions()}</defs>"
        f'<rect width="100%" height="100%" rx="8" fill="#17212b"/><g id="s">{screens}</g></svg>\n'
    )


def _keyframes(strip: Iterable[Frame], width: int, seconds: float) -> str:
    steps = []
    passed = 0.0
    for number, frame in enumerate(strip):
        steps.append(f"{passed / seconds:.3%}{{transform:translateX({-number * width}px)}}")
        passed += frame.seconds
    return "".join(steps)


class _Rows:
    """The distinct rows of all screens: each is defined once and used where it is shown."""

    def __init__(self) -> None:
        self._ids: dict[tuple[Span, ...], str] = {}

    def place(self, lines: Lines) -> str:
        """Return references to the rows of a screen."""
        return "".join(
            f'<use href="#{self._id(line)}" y="{PADDING_PX + (row + 1) * LINE_HEIGHT_PX - 5}"/>'
            for row, line in enumerate(lines)
            if any(span.text.strip() for span in line)
        )

    def definitions(self) -> str:
        """Return the definitions of the rows."""
        return "".join(
            f'<text id="{name}" x="{PADDING_PX}" xml:space="preserve">'
            f"{''.join(map(_span, line))}</text>"
            for line, name in self._ids.items()
        )

    def _id(self, line: tuple[Span, ...]) -> str:
        return self._ids.setdefault(line, f"r{len(self._ids)}")


def _span(span: Span) -> str:
    text = escape(span.text)
    return f'<tspan class="{span.style}">{text}</tspan>' if span.style else text
