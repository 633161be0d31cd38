"""Every number of the report, from the queries, and the checks that hold it to account."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tools.replay.kinds import is_page
from tools.replay.ledger import Summary
from tools.replay.signin import SignIn
from tools.report.book import Book
from tools.report.lake import Copy
from tools.report.sql import Tables

TOP = 10


@dataclass(frozen=True)
class Check:
    """Two counts of the same thing, made in different ways. `found` is the report's."""

    name: str
    expected: int
    found: int

    @property
    def right(self) -> bool:
        """Tell whether they agree."""
        return self.expected == self.found


@dataclass(frozen=True)
class Sessions:
    """Sessions of a replay; lengths in seconds."""

    sessions: int
    single_view: int
    median_views: int
    most_views: int
    mean_s: float
    median_s: float
    p90_s: float
    longest_s: float


@dataclass(frozen=True)
class Report:
    """What is printed, and written as JSON."""

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
    sign_in: Sequence[SignIn]
    checks: Sequence[Check]

    @property
    def right(self) -> bool:
        """Tell whether nothing is missing, the counts agree and the gate decided as it must."""
        return all(check.right for check in self.checks) and all(row.right for row in self.sign_in)


def measure(
    summary: Summary,
    book: Book,
    tables: Tables,
    copies: Sequence[Copy],
) -> Report:
    """Compute the report. `copies` are those of all objects of the lake."""
    verdicts = tables.query("verdicts")
    (stored,) = tables.query("stored")
    (missing,) = tables.query("missing")
    paths = {row["page_path"]: int(row["views"]) for row in tables.query("paths")}
    hours = {int(row["hour_of_day"]): int(row["views"]) for row in tables.query("hours")}
    bots = {bool(row["bot"]): row for row in tables.query("bots")}
    first = datetime.fromisoformat(summary.first_request)
    all_objects = [copy.original for copy in copies]
    recent = [item for item in all_objects if item.modified >= first.replace(microsecond=0)]
    # A listing's times are whole seconds: the last row was stored at most one second later.
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
        sign_in=[SignIn(**row) for row in summary.sign_in],
        checks=_checks(summary, book, tables, copies, paths, hours),
    )


def _checks(
    summary: Summary,
    book: Book,
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
        Check("lines of the log, read and bad", summary.lines,
              summary.sent + sum(summary.bad_lines.values())),
        Check("events answered, accepted and rejected", summary.sent,
              summary.accepted + sum(summary.rejected.values())),
        Check("accepted events in the ledger", len(book.accepted), summary.accepted),
        Check("accepted events missing in the lake", 0, missing["missing"]),
        Check("accepted events stored more than once", 0, stored["good_rows"] - good),
        Check("accepted events stored", len(book.accepted), good),
        Check("paths whose views differ from the log", 0, _differences(book.paths, paths)),
        Check("hours whose views differ from the log", 0, _differences(book.hours, hours)),
        Check("rows by the objects' metadata", sum(copy.counts.rows for copy in copies),
              lake["row_count"]),
    ]  # fmt: skip


def _differences[K](expected: Mapping[K, int], found: Mapping[K, int]) -> int:
    return sum(expected.get(key, 0) != found.get(key, 0) for key in expected.keys() | found.keys())


def _top(paths: Mapping[str, int], *, page: bool) -> list[tuple[str, int]]:
    chosen = Counter({path or "": n for path, n in paths.items() if is_page(path or "") == page})
    return sorted(chosen.items(), key=lambda item: (-item[1], item[0]))[:TOP]


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
    )
