"""Print the report: at most 100 columns, without colours unless standard output is a terminal."""

from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tools.report.results import Report
from tools.report.sections import lake_facts, replay_facts, safe_text, visitor_facts

MAX_WIDTH: Final = 100
#: Narrower terminals show the tables of pages and files below each other.
MIN_TWO_TABLES_WIDTH: Final = 80
_BAR_WIDTH: Final = 24
#: Columns of an hour and of the gaps after it and after its number.
_HOUR_WIDTH: Final = 8
_GAP: Final = 2
_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"


def render(report: Report, console: Console | None = None) -> None:
    """Print the report."""
    console = console or Console(highlight=False)
    console.width = min(console.width, MAX_WIDTH) if console.is_terminal else MAX_WIDTH
    with console.capture() as captured:
        _print(report, console)
    # Rich pads cells with spaces, which are a nuisance in copied text.
    lines = captured.get().split("\n")
    console.file.write("\n".join(line.rstrip(" ") for line in lines))


def _print(report: Report, console: Console) -> None:
    _heading(console, "Replay")
    _pairs(console, replay_facts(report))
    _heading(console, "Data lake")
    _pairs(console, lake_facts(report))
    _heading(console, "Visitors")
    _pairs(console, visitor_facts(report))
    _top(console, report)
    _hours(console, report.hours)
    _sign_in(console, report)
    _checks(console, report)


def _top(console: Console, report: Report) -> None:
    files = report.stored - report.page_views
    if console.width < MIN_TWO_TABLES_WIDTH:
        _top_table(console, f"top pages ({report.page_views:,} views)", report.pages)
        _top_table(console, f"files loaded by pages ({files:,})", report.files)
        return
    table = _table()
    name = max(16, (console.width - 24) // 2)
    table.add_column(f"top pages ({report.page_views:,} views)", no_wrap=True, width=name)
    table.add_column("views", justify="right")
    table.add_column(f"files loaded by pages ({files:,})", no_wrap=True, width=name)
    table.add_column("views", justify="right")
    for number in range(max(len(report.pages), len(report.files))):
        cells: list[Text] = []
        for column in (report.pages, report.files):
            path, views = column[number] if number < len(column) else ("", 0)
            cells += [_path(path, name), Text(f"{views:,}" if views else "")]
        table.add_row(*cells)
    console.print()
    console.print(table)


def _top_table(console: Console, title: str, rows: Sequence[tuple[str, int]]) -> None:
    table = _table()
    name = max(10, console.width - 12)
    table.add_column(title, no_wrap=True, width=name)
    table.add_column("views", justify="right", no_wrap=True)
    for path, views in rows:
        table.add_row(_path(path, name), f"{views:,}")
    console.print()
    console.print(table)


def _hours(console: Console, hours: Sequence[int]) -> None:
    """Print the hours in two columns with bars; in one column on a narrow terminal."""
    table = _table()
    maximum = max(hours, default=0)
    numbers = max(5, len(f"{maximum:,}"))
    columns = 2 if console.width >= 2 * (_HOUR_WIDTH + numbers + _BAR_WIDTH) + _GAP else 1
    width = min(_BAR_WIDTH, max(console.width - _HOUR_WIDTH - numbers, 1))
    for _ in range(columns):
        table.add_column("hour", no_wrap=True, min_width=4)
        table.add_column("views", justify="right", no_wrap=True, min_width=numbers)
        table.add_column("", width=width)
    rows = 24 // columns
    for hour in range(rows):
        cells = []
        for each in range(hour, 24, rows):
            cells += [f"{each:02d}", f"{hours[each]:,}", bar(hours[each], maximum, width)]
        table.add_row(*cells)
    _heading(console, "Views by hour of day (UTC, event timestamps)")
    console.print(table)


def bar(value: int, maximum: int, width: int = _BAR_WIDTH) -> str:
    """Return a bar whose length is `width` columns for `maximum`, in eighths of a column."""
    eighths = round(value / maximum * width * 8) if maximum else 0
    full, rest = divmod(eighths, 8)
    return "█" * full + (_EIGHTHS[rest] if rest else "")


def _sign_in(console: Console, report: Report) -> None:
    if not report.access_checks:
        return
    _heading(console, "Access to paid pages")
    table = _table()
    for title in ("user", "path", "status", "reason", ""):
        table.add_column(title)
    for row in report.access_checks:
        table.add_row(
            row.user, row.path, str(row.status), Text(safe_text(row.reason)),
            "" if row.as_expected else Text("✗ unexpected", style="bold red"),
        )  # fmt: skip
    console.print(table)


def _checks(console: Console, report: Report) -> None:
    _heading(console, "Checks: SQL over Parquet against the replay's ledger")
    table = _table()
    table.add_column("check")
    table.add_column("expected", justify="right")
    table.add_column("found", justify="right")
    table.add_column("")
    for check in report.checks:
        table.add_row(
            check.name, f"{check.expected:,}", f"{check.actual:,}",
            Text("✓", style="green") if check.passed else Text("✗ differs", style="bold red"),
        )  # fmt: skip
    console.print(table)
    console.print()


def _heading(console: Console, title: str) -> None:
    console.print()
    console.print(Text(title, style="bold"))


def _table() -> Table:
    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")


def _pairs(console: Console, rows: Sequence[tuple[str, str]]) -> None:
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 2))
    table.add_column(width=12)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(Text(name, style="dim"), Text(safe_text(value)))
    console.print(table)


def _path(path: str, width: int) -> Text:
    text = Text(safe_text(path))
    text.truncate(width, overflow="ellipsis")
    return text
