"""The screen applies the control sequences that rich and the commands print."""

import io
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.console import Console
from rich.progress import Progress

from tools.recording.screen import Screen, Span


def lines(text: str, width: int = 20) -> list[str]:
    screen = Screen(width)
    screen.write(text)
    return ["".join(span.text for span in line).rstrip() for line in screen.last_lines(30)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one\r\ntwo", ["one", "two"]),
        ("wrong\rright", ["right"]),
        ("long text\r\x1b[2Kend", ["end"]),
        ("keep this\rab\x1b[K", ["ab"]),
        ("bar\r\n\x1b[1A\x1b[2Kdone\r\n", ["done", ""]),
        ("\x1b[?25la\x1b[?25hb", ["ab"]),
        ("\x1b]0;title\x07text", ["text"]),
        ("twenty columns fit in", ["twenty columns fit i", "n"]),
    ],
)
def test_control_sequences_change_the_screen(text: str, expected: list[str]) -> None:
    assert lines(text) == expected


def test_colours_become_styles() -> None:
    screen = Screen(20)
    screen.write("\x1b[1;32mok\x1b[0m plain \x1b[31mno\x1b[39m")
    assert screen.last_lines(1) == ((Span("g", "ok"), Span("", " plain "), Span("r", "no")),)


def test_screen_shows_its_last_lines() -> None:
    screen = Screen(20)
    screen.write("\r\n".join(str(number) for number in range(50)))
    assert len(screen.last_lines(30)) == 30
    assert screen.last_lines(1) == ((Span("", "49"),),)


@given(st.lists(st.text("abc \r\n\x1b[2K1AmKx", max_size=30), max_size=8))
@example(["\x1b\x1b", "1"])
def test_screen_is_the_same_for_any_division_into_outputs_between_sequences(
    parts: list[str],
) -> None:
    # A sequence that is cut in two isn't a sequence: the recorder reads outputs whole.
    parts = [re.sub(r"(?:\x1b(?:\[[0-9;?]*)?)+$", "", part) for part in parts]
    divided = Screen(10)
    for part in parts:
        divided.write(part)
    whole = Screen(10)
    whole.write("".join(parts))
    assert divided.last_lines(100) == whole.last_lines(100)


def test_progress_bar_leaves_no_trace() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=60)
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("sending", total=10)
        for _ in range(10):
            progress.advance(task)
            progress.refresh()
    console.print("done")
    assert [line for line in lines(out.getvalue(), 60) if line] == ["done"]
