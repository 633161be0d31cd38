"""Write the report as one HTML file: the terminal's tables, and plots. It works offline."""

import json
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Final

from aws_emulator.errors import CommandError
from tools.page_style import logo, style
from tools.page_template import fill
from tools.report.results import Report
from tools.report.sections import (
    lake_facts,
    milliseconds_text,
    replay_facts,
    safe_text,
    visitor_facts,
)

PAGE_FILE: Final = "report.html"
#: The columns that hold numbers, which are aligned to the right.
NUMBER_COLUMNS: Final = frozenset({"views", "expected", "found"})
_NUMBER: Final = ' class="number"'
_CARD: Final = '<section class="card">'
_TEMPLATE: Final = Path(__file__).with_name("page.html")


def write_page(report: Report, path: Path) -> None:
    """Write the page.

    Raises:
        CommandError: The file can't be written.
    """
    try:
        path.write_text(page(report), encoding="utf-8")
    except OSError as error:
        raise CommandError(
            f"Can't write the report {path}: {error.strerror}. Check the folder and the free space."
        ) from error


def page(report: Report) -> str:
    """Return the page with all styles, scripts and data inline."""
    # Plotly takes half a second to import, and only this page needs it.
    from plotly.offline import get_plotlyjs  # type: ignore[import-untyped]

    from tools.report.plots import plots

    shown = plots(report)
    figures = json.dumps({plot.name: plot.document() for plot in shown})
    values = {
        "status": "All checks passed." if report.passed else "A check failed: see Checks.",
        "status_class": "good" if report.passed else "bad",
        "style": style(),
        "logo": logo(),
        "headlines": "\n".join(
            f"<div><dt>{_text(name)}</dt><dd>{_text(value)}</dd></div>"
            for name, value in _headlines(report)
        ),
        "plots": "\n".join(_figure(it.name, it.title, it.description) for it in shown),
        "tables": "\n".join(_tables(report)),
        # "</script" would end the element (HTML, "Restrictions for contents of script elements").
        "figures": figures.replace("<", "\\u003c"),
        "plotly": get_plotlyjs(),
    }
    return fill(_TEMPLATE, values)


def _headlines(report: Report) -> Iterable[tuple[str, str]]:
    yield "events stored", f"{report.stored:,}"
    yield "missing", f"{report.missing:,}"
    yield "events per second", f"{report.events_per_s:,.0f}"
    for name, measured in (("latency", report.latency), ("lag to the lake", report.lag)):
        median = milliseconds_text(measured.percentile(50)) if measured.count else "not measured"
        yield f"median {name}", median


def _figure(name: str, title: str, description: str) -> str:
    return (
        f'<section class="card" aria-labelledby="{name}-title">'
        f'<h2 id="{name}-title">{_text(title)}</h2>'
        f'<p class="shows" id="{name}-text">{_text(description)}</p>'
        f'<div class="plot" id="{name}" role="img" aria-labelledby="{name}-title {name}-text">'
        "</div></section>"
    )


def _tables(report: Report) -> Iterable[str]:
    yield _facts("Replay", replay_facts(report))
    yield _facts("Data lake", lake_facts(report))
    yield _facts("Visitors", visitor_facts(report))
    files = report.stored - report.page_views
    yield _table(f"Top pages ({report.page_views:,} views)", ("page", "views"), report.pages)
    yield _table(f"Files loaded by pages ({files:,})", ("file", "views"), report.files)
    hours = [(f"{hour:02d}", views) for hour, views in enumerate(report.hours)]
    yield _table("Views by hour of day (UTC, event timestamps)", ("hour", "views"), hours)
    if report.access_checks:
        yield _table(
            "Access to paid pages",
            ("user", "path", "status", "reason", "result"),
            [
                (it.user, it.path, str(it.status), it.reason, _mark(it.as_expected, "unexpected"))
                for it in report.access_checks
            ],
        )
    yield _table(
        "Checks: SQL over Parquet against the replay's ledger",
        ("check", "expected", "found", "result"),
        [(it.name, it.expected, it.actual, _mark(it.passed, "differs")) for it in report.checks],
    )


def _mark(passed: bool, failure: str) -> str:
    return "✓" if passed else f"✗ {failure}"


def _facts(title: str, facts: Sequence[tuple[str, str]]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{_text(name)}</th><td>{_text(value)}</td></tr>'
        for name, value in facts
    )
    return f'{_CARD}<h2>{_text(title)}</h2><table class="facts">{rows}</table></section>'


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str | int]]) -> str:
    head = "".join(
        f'<th scope="col"{_NUMBER if name in NUMBER_COLUMNS else ""}>{_text(name)}</th>'
        for name in columns
    )
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return (
        f'{_CARD}<h2>{_text(title)}</h2><div class="scroll" role="region" tabindex="0" '
        f'aria-label="{_text(title)}"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div></section>"
    )


def _cell(value: str | int) -> str:
    if isinstance(value, int):
        return f"<td{_NUMBER}>{value:,}</td>"
    return f"<td>{_text(value)}</td>"


def _text(text: str) -> str:
    return escape(safe_text(text))
