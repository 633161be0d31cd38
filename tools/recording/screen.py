"""A terminal screen for the control sequences that this project's commands print.

Supports text, line feeds, carriage returns, cursor movement up, erasing of lines, and the colours
of SGR (ECMA-48, 8.3.117). Other sequences are ignored.
"""

import re
from typing import Final, NamedTuple

_SEQUENCE: Final = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|\x1b\][^\x07]*\x07|\x1b.")
#: SGR parameters to the classes of the picture's style sheet.
_STYLES: Final = {"1": "b", "2": "d", "31": "r", "32": "g", "33": "y", "34": "c", "35": "c"}
_STYLES_OFF: Final = {"0": "", "": "", "22": "", "39": ""}


class Span(NamedTuple):
    """Text of one line with one style: a class name, or "" for plain text."""

    style: str
    text: str


class Screen:
    """A screen of `width` columns that keeps all lines; a picture shows the last ones."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._lines: list[list[tuple[str, str]]] = [[]]
        self._row = 0
        self._column = 0
        self._style = ""

    def write(self, text: str) -> None:
        """Apply text with control sequences."""
        position = 0
        for match in _SEQUENCE.finditer(text):
            self._text(text[position : match.start()])
            self._control(match[1] or "", match[2] or "")
            position = match.end()
        self._text(text[position:])

    def last_lines(self, height: int) -> tuple[tuple[Span, ...], ...]:
        """Return the lines at the bottom of the screen, at most `height`."""
        return tuple(_spans(line) for line in self._lines[-height:])

    def _text(self, text: str) -> None:
        for character in text:
            if character == "\n":
                self._move_down()
            elif character == "\r":
                self._column = 0
            elif character >= " ":
                self._put(character)

    def _put(self, character: str) -> None:
        if self._column >= self._width:
            self._move_down()
            self._column = 0
        line = self._lines[self._row]
        line += [("", " ")] * (self._column + 1 - len(line))
        line[self._column] = (self._style, character)
        self._column += 1

    def _move_down(self) -> None:
        self._row += 1
        if self._row == len(self._lines):
            self._lines.append([])

    def _control(self, parameters: str, final: str) -> None:
        if final == "m":
            for number in parameters.split(";"):
                self._style = _STYLES_OFF.get(number, _STYLES.get(number, self._style))
        elif final == "A":
            self._row = max(0, self._row - int(parameters or 1))
        elif final == "K":
            line = self._lines[self._row]
            del line[0 if parameters == "2" else self._column :]


def _spans(line: list[tuple[str, str]]) -> tuple[Span, ...]:
    spans: list[Span] = []
    for style, character in line:
        if spans and spans[-1].style == style:
            spans[-1] = Span(style, spans[-1].text + character)
        else:
            spans.append(Span(style, character))
    return tuple(spans)
