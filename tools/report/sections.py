"""The text of the report's sections, which the terminal's report and the page have in common."""

import re
from collections.abc import Mapping
from typing import Final

from tools.report.distribution import PERCENTILES, Distribution
from tools.report.results import Report

#: The locations that the report lists by name; the page plots as many.
MAX_LOCATIONS: Final = 6
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_SOURCES: Final = {
    "public": "real traffic (10,000 requests to a public site, May 2015)",
    "own": "your own traffic",
    "model": "generated from the statistics of the public log",
}


def replay_facts(report: Report) -> list[tuple[str, str]]:
    """Return the names and values of the section "Replay"."""
    source = report.source
    bad = counts_text(report.bad_lines)
    rejected = sum(report.rejected.values())
    return [
        ("access log", f"{source['label']} - {_SOURCES.get(source['kind'], source['kind'])}"),
        ("lines", f"{report.lines:,}" + (f", invalid: {bad}" if bad else ", all valid")),
        ("events sent", (f"{report.sent:,} in {report.requests:,} requests by {report.clients} "
                        f"concurrent clients, {report.retried:,} retried")),
        ("accepted", f"{report.accepted:,}"),
        ("rejected", f"{rejected:,}" + (f" ({counts_text(report.rejected)})" if rejected else "")),
        ("statuses", counts_text(report.statuses)),
        ("latency", f"{distribution_text(report.latency)} (of a request, seen by the clients)"),
    ]  # fmt: skip


def lake_facts(report: Report) -> list[tuple[str, str]]:
    """Return the names and values of the section "Data lake"."""
    bad = sum(report.bad.values())
    return [
        ("stored", f"{report.stored:,} events, {report.surplus:,} stored more than once"),
        ("duplicates", f"{report.duplicates:,} (marked as duplicates, excluded from the counts)"),
        ("bad", f"{bad:,}" + (f" ({counts_text(report.bad)})" if bad else "")),
        ("missing", f"{report.missing:,}"),
        ("objects", f"{report.objects:,} Parquet objects, {bytes_text(report.bytes)}"),
        ("time", (f"{report.stored_s:.1f} s from the first request to the last row, "
                 f"of which {report.replay_s:.1f} s sending")),
        ("lag", (f"{distribution_text(report.lag)} (from the edge until the row and the live "
                "counters are stored)")),
        ("rate", f"{report.events_per_s:,.0f} events per second, from request to Parquet object"),
    ]  # fmt: skip


def visitor_facts(report: Report) -> list[tuple[str, str]]:
    """Return the names and values of the section "Visitors"."""
    sessions = report.sessions
    single = share_text(sessions.single_view, sessions.sessions)
    bots = share_text(report.bot_visitors, report.visitors)
    rows = [
        ("visitors", (f"{report.visitors:,}, {bots} bots, "
                     f"which made {share_text(report.bot_views, report.stored)} of the requests")),
        ("sessions", (f"{sessions.sessions:,} (a session ends after 30 minutes without a request), "
                     f"{single} with a single request")),
        ("per session",
         f"median {sessions.median_views}, maximum {sessions.most_views:,} requests"),
        ("duration", (f"mean {time_text(sessions.mean_s)}, median {time_text(sessions.median_s)}, "
                   f"p90 {time_text(sessions.p90_s)}, maximum {time_text(sessions.longest_s)}")),
    ]  # fmt: skip
    rows.append(("from", locations_text(report)))
    if report.source["kind"] == "public":
        rows.append(("", "(every time in the public log is in minute 05 of its hour)"))
    return rows


def distribution_text(distribution: Distribution) -> str:
    """Format the percentiles of a duration; "not measured" without values."""
    if not distribution.count:
        return "not measured"
    named = {50: "median", 100: "maximum"}
    return ", ".join(
        f"{named.get(number, f'p{number}')} {milliseconds_text(distribution.percentile(number))}"
        for number in PERCENTILES
    )


def milliseconds_text(value: int) -> str:
    """Format milliseconds: `85 ms` or `1.25 s`."""
    return f"{value} ms" if value < 1_000 else f"{value / 1_000:.2f} s"


def locations_text(report: Report) -> str:
    """Format the shares of the first locations of the views."""
    shown = list(report.locations.items())[:MAX_LOCATIONS]
    rest = report.stored - sum(views for _, views in shown)
    parts = [f"{name} {share_text(views, report.stored)}" for name, views in shown]
    if rest > 0:
        parts.append(f"others {share_text(rest, report.stored)}")
    return ", ".join(parts) or "none"


def safe_text(text: str) -> str:
    """Replace control characters. A log contains untrusted text."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def counts_text(counts: Mapping[str, int]) -> str:
    """Format counts by name, the largest first."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name} {count:,}" for name, count in ordered)


def share_text(part: int, whole: int) -> str:
    """Format a share in per cent; "none" of nothing."""
    return f"{part / whole:.1%}" if whole else "none"


def bytes_text(count: int) -> str:
    """Format a size in decimal units."""
    return f"{count / 1_000_000:.1f} MB" if count >= 1_000_000 else f"{count / 1_000:.1f} kB"


def time_text(seconds: float) -> str:
    """Format a duration: `12.5 s`, `3 min 20 s` or `1 h 05 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"
