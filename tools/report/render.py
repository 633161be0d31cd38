"""Print the report: at most 100 columns, without colours unless standard output is a terminal."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tools.report.results import Report

MAX_WIDTH: Final = 100
#: Narrower terminals show the tables of pages and files below each other.
MIN_TWO_TABLES_WIDTH: Final = 80
_BAR_WIDTH: Final = 24
#: Columns of an hour and of the gaps after it and after its number.
_HOUR_WIDTH: Final = 8
_GAP: Final = 2
_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_SOURCES: Final = {
    "public": "real traffic (10,000 requests to a public site, May 2015)",
    "own": "your own traffic",
    "model": "generated from the statistics of the public log",
}


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
    _pairs(console, _replay(report))
    _heading(console, "Data lake")
    _pairs(console, _lake(report))
    _heading(console, "Visitors")
    _pairs(console, _visitors(report))
    _top(console, report)
    _hours(console, report.hours)
    _sign_in(console, report)
    _checks(console, report)


def _replay(report: Report) -> list[tuple[str, str]]:
    source = report.source
    bad = _counts(report.bad_lines)
    rejected = sum(report.rejected.values())
    return [
        ("access log", f"{source['label']} - {_SOURCES.get(source['kind'], source['kind'])}"),
        ("lines", f"{report.lines:,}" + (f", invalid: {bad}" if bad else ", all valid")),
        ("events sent", (f"{report.sent:,} in {report.requests:,} requests by {report.clients} "
                        f"concurrent clients, {report.retried:,} retried")),
        ("accepted", f"{report.accepted:,}"),
        ("rejected", f"{rejected:,}" + (f" ({_counts(report.rejected)})" if rejected else "")),
        ("statuses", _counts(report.statuses)),
    ]  # fmt: skip


def _lake(report: Report) -> list[tuple[str, str]]:
    bad = sum(report.bad.values())
    return [
        ("stored", f"{report.stored:,} events, {report.surplus:,} stored more than once"),
        ("duplicates", f"{report.duplicates:,} (marked as duplicates, excluded from the counts)"),
        ("bad", f"{bad:,}" + (f" ({_counts(report.bad)})" if bad else "")),
        ("missing", f"{report.missing:,}"),
        ("objects", f"{report.objects:,} Parquet objects, {_bytes(report.bytes)}"),
        ("time", (f"{report.stored_s:.1f} s from the first request to the last row, "
                 f"of which {report.replay_s:.1f} s sending")),
        ("rate", f"{report.events_per_s:,.0f} events per second, from request to Parquet object"),
    ]  # fmt: skip


def _visitors(report: Report) -> list[tuple[str, str]]:
    sessions = report.sessions
    single = _share(sessions.single_view, sessions.sessions)
    rows = [
        ("visitors", (f"{report.visitors:,}, {_share(report.bot_visitors, report.visitors)} bots, "
                     f"which made {_share(report.bot_views, report.stored)} of the requests")),
        ("sessions", (f"{sessions.sessions:,} (a session ends after 30 minutes without a request), "
                     f"{single} with a single request")),
        ("per session",
         f"median {sessions.median_views}, maximum {sessions.most_views:,} requests"),
        ("duration", (f"mean {_time(sessions.mean_s)}, median {_time(sessions.median_s)}, "
                   f"p90 {_time(sessions.p90_s)}, maximum {_time(sessions.longest_s)}")),
    ]  # fmt: skip
    if report.source["kind"] == "public":
        rows.append(("", "(every time in the public log is in minute 05 of its hour)"))
    return rows


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
            row.user, row.path, str(row.status), Text(_safe(row.reason)),
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
            check.name, f"{check.expected:,}", f"{check.found:,}",
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
        table.add_row(Text(name, style="dim"), Text(_safe(value)))
    console.print(table)


def _safe(text: str) -> str:
    # A log contains untrusted text, which must not send control sequences to the terminal.
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def _path(path: str, width: int) -> Text:
    text = Text(_safe(path))
    text.truncate(width, overflow="ellipsis")
    return text


def _counts(counts: Mapping[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name} {count:,}" for name, count in ordered)


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "none"


def _bytes(count: int) -> str:
    return f"{count / 1_000_000:.1f} MB" if count >= 1_000_000 else f"{count / 1_000:.1f} kB"


def _time(seconds: float) -> str:
    """Format a duration: `12.5 s`, `3 min 20 s` or `1 h 05 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"
