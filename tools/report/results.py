"""Compute the report's numbers from the queries, and check them against independent counts."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from tools.replay.access_check import AccessCheck
from tools.replay.ledger import Summary
from tools.replay.page_paths import is_page
from tools.report.distribution import Distribution, distribution
from tools.report.lake_objects import Copy
from tools.report.lake_tables import Tables
from tools.report.ledger_counts import LedgerCounts
from tools.report.view_locations import count_view_locations

TOP_PATHS: Final = 10
#: Ranges of views per session, and of the sessions' lengths: columns of sessions.sql and labels.
RANGES_BY_VIEWS: Final = {
    "views_1": "1",
    "views_2": "2",
    "views_3": "3-5",
    "views_6": "6-10",
    "views_11": "11-20",
    "views_21": "21-50",
    "views_51": "over 50",
}
RANGES_BY_DURATION: Final = {
    "length_0s": "0 s",
    "length_1s": "under 1 min",
    "length_1m": "1-5 min",
    "length_5m": "5-15 min",
    "length_15m": "15-30 min",
    "length_30m": "30-60 min",
    "length_60m": "over 1 h",
}


@dataclass(frozen=True)
class Check:
    """Two independent counts of the same thing. `actual` is the report's."""

    name: str
    expected: int
    actual: int

    @property
    def passed(self) -> bool:
        """Whether the counts agree."""
        return self.expected == self.actual


@dataclass(frozen=True)
class Sessions:
    """Sessions of a replay; lengths in seconds.

    `by_views` and `by_length` count the sessions by ranges of views and of length.
    """

    sessions: int
    single_view: int
    median_views: int
    most_views: int
    mean_s: float
    median_s: float
    p90_s: float
    longest_s: float
    by_views: Mapping[str, int]
    by_length: Mapping[str, int]


@dataclass(frozen=True)
class Report:
    """The report's numbers, which the command prints and writes as JSON."""

    source: Mapping[str, Any]
    lines: int
    bad_lines: Mapping[str, int]
    clients: int
    requests: int
    retried: int
    statuses: Mapping[str, int]
    sent: int
    accepted: int
    rejected: Mapping[str, int]
    stored: int
    surplus: int
    duplicates: int
    bad: Mapping[str, int]
    missing: int
    objects: int
    bytes: int
    replay_s: float
    stored_s: float
    events_per_s: float
    pages: Sequence[tuple[str, int]]
    files: Sequence[tuple[str, int]]
    page_views: int
    hours: Sequence[int]
    bot_views: int
    bot_visitors: int
    visitors: int
    sessions: Sessions
    locations: Mapping[str, int]
    #: "country", or "registry" if no event has a country.
    locations_by: str
    latency: Distribution
    lag: Distribution
    access_checks: Sequence[AccessCheck]
    checks: Sequence[Check]

    @property
    def passed(self) -> bool:
        """Whether all counts agree and the edge allowed and denied access as expected."""
        access = all(check.as_expected for check in self.access_checks)
        return access and all(check.passed for check in self.checks)


def measure(
    summary: Summary,
    ledger: LedgerCounts,
    tables: Tables,
    copies: Sequence[Copy],
) -> Report:
    """Compute the report. `copies` has a copy of every object of the lake."""
    verdicts = tables.query("verdicts")
    (stored,) = tables.query("stored")
    (missing,) = tables.query("missing")
    paths = {row["page_path"]: int(row["views"]) for row in tables.query("paths")}
    hours = {int(row["hour_of_day"]): int(row["views"]) for row in tables.query("hours")}
    bots = {bool(row["bot"]): row for row in tables.query("bots")}
    locations_by, locations = count_view_locations(tables.query("view_locations"))
    lags = {int(row["lag_ms"]): int(row["row_count"]) for row in tables.query("lag")}
    first = datetime.fromisoformat(summary.first_request)
    all_objects = [copy.original for copy in copies]
    recent = [item for item in all_objects if item.modified >= first.replace(microsecond=0)]
    # LastModified has whole seconds, so the last row was stored up to one second later.
    stored_s = max((item.modified - first).total_seconds() for item in recent) if recent else 0.0
    stored_s = max(stored_s, summary.seconds)
    return Report(
        source=summary.source,
        lines=summary.lines,
        bad_lines=dict(summary.bad_lines),
        clients=summary.clients,
        requests=summary.requests,
        retried=summary.retried,
        statuses=dict(summary.statuses),
        sent=summary.sent,
        accepted=summary.accepted,
        rejected=dict(summary.rejected),
        stored=stored["stored"],
        surplus=stored["good_rows"] - stored["stored"],
        duplicates=sum(row["row_count"] for row in verdicts if row["verdict"] == "duplicate"),
        bad={
            row["reason"] or "unnamed": row["row_count"]
            for row in verdicts
            if row["verdict"] == "bad"
        },
        missing=missing["missing"],
        objects=len(recent),
        bytes=sum(item.size for item in recent),
        replay_s=summary.seconds,
        stored_s=round(stored_s, 1),
        events_per_s=round(stored["stored"] / stored_s, 1) if stored_s else 0.0,
        pages=_top(paths, page=True),
        files=_top(paths, page=False),
        page_views=sum(views for path, views in paths.items() if is_page(path or "")),
        hours=[hours.get(hour, 0) for hour in range(24)],
        bot_views=bots[True]["views"] if True in bots else 0,
        bot_visitors=bots[True]["visitors"] if True in bots else 0,
        visitors=sum(row["visitors"] for row in bots.values()),
        sessions=_sessions(tables.query("sessions")[0]),
        locations=locations,
        locations_by=locations_by,
        latency=distribution({int(ms): n for ms, n in summary.latencies_ms.items()}),
        lag=distribution(lags),
        access_checks=[AccessCheck(**row) for row in summary.access_checks],
        checks=_checks(summary, ledger, tables, copies, paths, hours),
    )


def _checks(
    summary: Summary,
    ledger: LedgerCounts,
    tables: Tables,
    copies: Sequence[Copy],
    paths: Mapping[str, int],
    hours: Mapping[int, int],
) -> list[Check]:
    (stored,) = tables.query("stored")
    (missing,) = tables.query("missing")
    (lake,) = tables.run("SELECT count(*) AS row_count FROM lake")
    good = stored["stored"]
    return [
        Check("log lines = sent events + invalid lines", summary.lines,
              summary.sent + sum(summary.bad_lines.values())),
        Check("sent events = accepted + rejected", summary.sent,
              summary.accepted + sum(summary.rejected.values())),
        Check("accepted events in the ledger", len(ledger.accepted), summary.accepted),
        Check("accepted events missing from the lake", 0, missing["missing"]),
        Check("accepted events stored more than once", 0, stored["good_rows"] - good),
        Check("accepted events stored", len(ledger.accepted), good),
        Check("paths with a different number of views", 0, _differences(ledger.paths, paths)),
        Check("hours with a different number of views", 0, _differences(ledger.hours, hours)),
        Check("rows according to object metadata", sum(copy.counts.rows for copy in copies),
              lake["row_count"]),
    ]  # fmt: skip


def _differences[K](expected: Mapping[K, int], actual: Mapping[K, int]) -> int:
    return sum(
        expected.get(key, 0) != actual.get(key, 0) for key in expected.keys() | actual.keys()
    )


def _top(paths: Mapping[str, int], *, page: bool) -> list[tuple[str, int]]:
    selection = Counter({path or "": n for path, n in paths.items() if is_page(path or "") == page})
    return sorted(selection.items(), key=lambda item: (-item[1], item[0]))[:TOP_PATHS]


def _sessions(row: Mapping[str, Any]) -> Sessions:
    count = int(row["sessions"] or 0)
    return Sessions(
        sessions=count,
        single_view=int(row["single_view"] or 0),
        median_views=int(row["median_views"] or 0),
        most_views=int(row["most_views"] or 0),
        mean_s=round(int(row["total_ms"] or 0) / 1000 / count, 1) if count else 0.0,
        median_s=int(row["median_ms"] or 0) / 1000,
        p90_s=int(row["p90_ms"] or 0) / 1000,
        longest_s=int(row["longest_ms"] or 0) / 1000,
        by_views={label: int(row[column] or 0) for column, label in RANGES_BY_VIEWS.items()},
        by_length={label: int(row[column] or 0) for column, label in RANGES_BY_DURATION.items()},
    )
