"""Render terminal output as an SVG picture for the documents.

    make run | .venv/bin/python -m tools.picture "make run" docs/make-run.svg

Reads text from standard input and prints it. Escape sequences, and lines of progress that a
terminal overwrites, are removed.
"""

import re
import sys
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

MAX_LINES: Final = 60
LINE_HEIGHT_PX: Final = 18
CHARACTER_WIDTH_PX: Final = 8.1
PADDING_PX: Final = 16
_ESCAPE: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
#: The beginnings of lines that a terminal overwrites, and of notes that would fill the picture.
_PROGRESS: Final = ("… ", "  sam ", "  replaying ", "  accepted, not emulated", "  cloudfront:")
_STYLE: Final = (
    "text{font:13.5px ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#d6dde6;"
    "white-space:pre}.p{fill:#8fd18f}.h{fill:#ffffff;font-weight:bold}"
)


def picture(command: str, output: str) -> str:
    """Return an SVG document that shows a command and the first lines of its output."""
    lines = [line.rstrip() for line in _ESCAPE.sub("", output).replace("\r", "").splitlines()]
    lines = [line for line in lines if not line.startswith(_PROGRESS)]
    display = [f"$ {command}", *lines[:MAX_LINES]]
    if len(lines) > MAX_LINES:
        display.append("…")
    width = PADDING_PX * 2 + max(map(len, display)) * CHARACTER_WIDTH_PX
    height = PADDING_PX * 2 + len(display) * LINE_HEIGHT_PX
    rows = [
        f'<text x="{PADDING_PX}" y="{PADDING_PX + (number + 1) * LINE_HEIGHT_PX - 5}"'
        f' class="{_kind(line)}" xml:space="preserve">{escape(line)}</text>'
        for number, line in enumerate(display)
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" role="img"'
        f' aria-label="Output of {escape(command)}"><style>{_STYLE}</style>'
        f'<rect width="100%" height="100%" rx="8" fill="#17212b"/>{"".join(rows)}</svg>\n'
    )


def _kind(line: str) -> str:
    if line.startswith(("$ ", "✓")):
        return "p"
    return "h" if re.fullmatch(r"[A-Z][\w ]+", line) else "t"


def main() -> int:
    """Write the picture; return the exit code."""
    if len(sys.argv) != 3:
        print("usage: python -m tools.picture COMMAND FILE < OUTPUT", file=sys.stderr)
        return 2
    output = ""
    for line in sys.stdin:
        print(line, end="", flush=True)
        output += line
    Path(sys.argv[2]).write_text(picture(sys.argv[1], output))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
