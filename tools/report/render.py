"""The report as a person reads it: at most 100 columns, plain where there is no terminal."""

import re
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tools.report.figures import Report

WIDTH = 100
_BAR = 24
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_SOURCES = {
    "public": "real traffic (10,000 requests to a public site, May 2015)",
    "own": "your own traffic",
    "model": "no real traffic: drawn from the figures of the public log",
}


def render(report: Report, console: Console | None = None) -> None:
    """Print the report."""
    console = console or Console(highlight=False)
    console.width = min(console.width, WIDTH) if console.is_terminal else WIDTH
    with console.capture() as captured:
        _print(report, console)
    # Tables are filled up with blanks, which only get in the way of whoever copies the text.
    lines = captured.get().split("\n")
    console.file.write("\n".join(line.rstrip(" ") for line in lines))


def _print(report: Report, console: Console) -> None:
    _heading(console, "The replay")
    _pairs(console, _replay(report))
    _heading(console, "The lake")
    _pairs(console, _lake(report))
    _heading(console, "Who came")
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
        ("traffic", f"{source['label']} - {_SOURCES.get(source['kind'], source['kind'])}"),
        ("lines", f"{report.lines:,}" + (f", not readable: {bad}" if bad else ", all readable")),
        ("events sent", (f"{report.sent:,} in {report.requests:,} requests by {report.clients} "
                        f"clients at once, {report.retried:,} tried again")),
        ("accepted", f"{report.accepted:,}"),
        ("rejected", f"{rejected:,}" + (f" ({_counts(report.rejected)})" if rejected else "")),
        ("answers", _counts(report.statuses)),
    ]  # fmt: skip


def _lake(report: Report) -> list[tuple[str, str]]:
    bad = sum(report.bad.values())
    return [
        ("stored", f"{report.stored:,} events, {report.surplus:,} of them more than once"),
        ("duplicates", f"{report.duplicates:,} (sent again, recognised, kept apart)"),
        ("bad", f"{bad:,}" + (f" ({_counts(report.bad)})" if bad else "")),
        ("missing", f"{report.missing:,}"),
        ("objects", f"{report.objects:,} Parquet objects, {_bytes(report.bytes)}"),
        ("time", (f"{report.stored_s:.1f} s from the first request to the last row, "
                 f"{report.replay_s:.1f} s of them sending")),
        ("rate", f"{report.events_per_s:,.0f} events per second, from request to Parquet"),
    ]  # fmt: skip


def _visitors(report: Report) -> list[tuple[str, str]]:
    sessions = report.sessions
    single = _share(sessions.single_view, sessions.sessions)
    rows = [
        ("visitors", (f"{report.visitors:,}, {_share(report.bot_visitors, report.visitors)} of them"
                     f" bots, with {_share(report.bot_views, report.stored)} of the requests")),
        ("sessions", (f"{sessions.sessions:,} (30 minutes without a request end one), "
                     f"{single} of a single request")),
        ("requests", f"median {sessions.median_views}, most {sessions.most_views:,} in a session"),
        ("length", (f"mean {_time(sessions.mean_s)}, median {_time(sessions.median_s)}, "
                   f"p90 {_time(sessions.p90_s)}, longest {_time(sessions.longest_s)}")),
    ]  # fmt: skip
    if report.source["kind"] == "public":
        rows.append(
            ("", "(this log's clock shows minute 05 only: lengths are the log's, not ours)")
        )
    return rows


def _top(console: Console, report: Report) -> None:
    files = report.stored - report.page_views
    table = _table()
    name = max(16, (console.width - 24) // 2)
    table.add_column(f"top pages ({report.page_views:,} views)", no_wrap=True, width=name)
    table.add_column("views", justify="right")
    table.add_column(f"files that pages load ({files:,})", no_wrap=True, width=name)
    table.add_column("views", justify="right")
    for number in range(max(len(report.pages), len(report.files))):
        cells: list[Text] = []
        for column in (report.pages, report.files):
            path, views = column[number] if number < len(column) else ("", 0)
            cells += [_path(path, name), Text(f"{views:,}" if views else "")]
        table.add_row(*cells)
    console.print()
    console.print(table)


def _hours(console: Console, hours: Sequence[int]) -> None:
    """Print two columns of twelve hours, each with a bar."""
    table = _table()
    most = max(hours, default=0)
    for _ in range(2):
        table.add_column("hour")
        table.add_column("views", justify="right")
        table.add_column("", width=_BAR)
    for hour in range(12):
        cells = []
        for each in (hour, hour + 12):
            cells += [f"{each:02d}", f"{hours[each]:,}", bar(hours[each], most)]
        table.add_row(*cells)
    _heading(console, "Views by hour of the day (UTC, the events' own time)")
    console.print(table)


def bar(value: int, most: int, width: int = _BAR) -> str:
    """Return a bar of `width` columns at `most`, in eighths of a column."""
    eighths = round(value / most * width * 8) if most else 0
    full, rest = divmod(eighths, 8)
    return "█" * full + (_EIGHTHS[rest] if rest else "")


def _sign_in(console: Console, report: Report) -> None:
    if not report.sign_in:
        return
    _heading(console, "Who may read what is paid for")
    table = _table()
    for title in ("who", "path", "status", "reason", ""):
        table.add_column(title)
    for row in report.sign_in:
        table.add_row(
            row.who, row.path, str(row.status), Text(_safe(row.reason)),
            "" if row.right else Text("not as it must be", style="bold red"),
        )  # fmt: skip
    console.print(table)


def _checks(console: Console, report: Report) -> None:
    _heading(console, "Counted twice: by SQL over Parquet, and without it")
    table = _table()
    table.add_column("what")
    table.add_column("expected", justify="right")
    table.add_column("found", justify="right")
    table.add_column("")
    for check in report.checks:
        table.add_row(
            check.name, f"{check.expected:,}", f"{check.found:,}",
            Text("✓", style="green") if check.right else Text("✗ differs", style="bold red"),
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
    # What a stranger wrote into a log must not steer the terminal that shows it.
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
    """Write a length of time: `12.5 s`, `3 min 20 s` or `1 h 05 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"
