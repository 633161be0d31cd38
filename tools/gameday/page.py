"""Write a game day as one HTML file with an SVG time line. It works offline, without scripts."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Final

from aws_emulator.errors import CommandError
from tools.gameday.acts import CONTINENTS
from tools.gameday.figures import Part, by_operation, marks
from tools.page_style import logo, style
from tools.page_template import fill

#: Seconds of a cell of the chart.
CELL_S: Final = 1.0
_ROW_PX: Final = 18
_LABEL_PX: Final = 150
_CELL_PX: Final = 6
_HEAD_PX: Final = 40
_CLASSES: Final = {".": "served", "/": "both", "x": "refused", "~": "waits"}
_TEMPLATE: Final = Path(__file__).with_name("page.html")


def write_page(path: Path, text: str) -> None:
    """Write the page.

    Raises:
        CommandError: The file can't be written.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(
            f"Can't write the report {path}: {error.strerror}. Check the folder and the free space."
        ) from error


def page(
    title: str,
    failed: Sequence[str],
    parts: Sequence[Part],
    sections: Mapping[str, Sequence[str]],
) -> str:
    """Return the page: a chart of each part, and the terminal's tables.

    `failed` are the checks that failed, `sections` the tables by their head.
    """
    values = {
        "title": escape(title),
        "status": escape(f"Failed: {', '.join(failed)}" if failed else "All checks passed."),
        "status_class": "bad" if failed else "good",
        "style": style(),
        "logo": logo(),
        "chart": "\n".join(chart(it) for it in parts),
        "sections": "\n".join(_section(head, lines) for head, lines in sections.items()),
    }
    return fill(_TEMPLATE, values)


def chart(part: Part) -> str:
    """Return the time line as SVG: a row per operation and continent, a cell per second."""
    scenes = part.scenes
    rows = [(operation, it) for operation in part.operations for it in CONTINENTS]
    end = max((it.ended for it in scenes), default=0.0)
    answers = by_operation(part.ledger.answers)
    width = _LABEL_PX + round(end / CELL_S) * _CELL_PX + _CELL_PX
    height = _HEAD_PX + len(rows) * _ROW_PX + _ROW_PX
    subject = f"{part.subject}: " if part.subject else ""
    label = f"{subject}Answers of each operation by second and continent"
    parts = [
        f'<svg class="timeline" viewBox="0 0 {width} {height}" role="img" aria-label="{label}">'
    ]
    for number, scene in enumerate(scenes, start=1):
        left, right = _x(scene.lost), _x(scene.returned)
        parts.append(
            f'<rect class="loss" x="{left}" y="{_HEAD_PX - 4}" width="{right - left}" '
            f'height="{len(rows) * _ROW_PX + 4}"><title>{escape(scene.act.name)}</title></rect>'
            f'<text x="{left}" y="{_HEAD_PX - 12}">{number}<title>{escape(scene.act.name)}'
            "</title></text>"
        )
    for row, (operation, continent) in enumerate(rows):
        top = _HEAD_PX + row * _ROW_PX
        parts.append(f'<text x="0" y="{top + 12}">{escape(operation)}, {escape(continent)}</text>')
        moment = 0.0
        while moment < end:
            mark = marks(
                answers[operation, continent], operation, continent, moment, moment + CELL_S
            )
            if mark in _CLASSES:
                parts.append(
                    f'<rect class="{_CLASSES[mark]}" x="{_x(moment)}" y="{top + 2}" '
                    f'width="{_CELL_PX - 1}" height="{_ROW_PX - 5}"/>'
                )
            moment += CELL_S
    parts += [
        f'<text x="{_x(moment)}" y="{height - 4}">{moment} s</text>'
        for moment in range(0, round(end) + 1, 10)
    ]
    return "\n".join([*parts, "</svg>"])


def _x(moment: float) -> int:
    return round(_LABEL_PX + moment / CELL_S * _CELL_PX)


def _section(head: str, lines: Sequence[str]) -> str:
    text = escape("\n".join(lines))
    return (
        f'<section class="card"><h2>{escape(head)}</h2><div class="scroll" role="region" '
        f'tabindex="0" aria-label="{escape(head)}"><pre>{text}</pre></div></section>'
    )
