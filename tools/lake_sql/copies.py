"""The view `events_once` by the index of copies, in DuckDB and Spark.

Compaction lists in `copies/` which good rows aren't the first copy of their id
(src/stream_processor/compaction/copies.py). The ids of objects that it didn't compare yet, such as
those of the last hours, are compared with its log of ids once, when the view is created. The index
is used only if it is complete for the objects of the lake; otherwise the view of lake/views, which
reads the ids of all days, stays. Both have the same rows.

This module needs the standard library only, so it also runs beside Spark.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

#: Also in the package of the jobs, which is a zip archive (tools/lake_sql/job_package.py).
INDEXED_VIEW: Final = resources.files("lake") / "index" / "events_once.sql"
_PREFIXES: Final = ("events", "compacted", "copies", "seen")
_LATE: Final = re.compile(r".*/late-\d{8}\.parquet")
_KEY: Final = "date, hour, object_id, shard_id, sequence_number, record_index"
_KNOWN_COPIES: Final = f"SELECT {_KEY} FROM event_index WHERE shard_id IS NOT NULL"  # noqa: S608 - constants
_ENTRY: Final = re.compile(r"seen/sha256-(\d{8})-(\d{8})\.parquet")
_TEXT: Final = "concat(coalesce(source, ''), chr(10), coalesce(message_id, ''))"
#: Good rows of objects that aren't compared, with the digests of their ids as in the log.
_FRESH: Final = f"""
SELECT {_KEY}, received_at, source, message_id, hour_number, {{digest}} AS digest
FROM events_fresh
JOIN (VALUES {{hours}}) AS hours (day_of_hour, hour_of_day, hour_number)
  ON events_fresh.date = day_of_hour AND events_fresh.hour = hour_of_day
WHERE verdict = 'good'
"""  # noqa: S608 - constants
#: Those of their ids that the log has: the hours of the first copy there, and of the first of them.
_KNOWN_IDS: Final = """
SELECT ids.digest, min(ids.first_fresh) AS first_fresh, min(event_seen.hour) AS first_known
FROM (
  SELECT digest, min(hour_number) AS first_fresh FROM event_fresh GROUP BY digest
) AS ids
JOIN event_seen ON event_seen.digest = ids.digest
GROUP BY ids.digest
"""
#: Hours whose compared rows can be later than one of those rows.
_HOURS: Final = "SELECT DISTINCT first_known FROM event_known_ids WHERE first_fresh <= first_known"
_CANDIDATES: Final = f"SELECT {_KEY}, received_at, source, message_id, digest FROM event_fresh"  # noqa: S608 - constants
_SETTLED: Final = f"""
SELECT {_KEY}, received_at, source, message_id, {{digest}} AS digest
FROM events_settled
WHERE {{digest}} IN (SELECT digest FROM event_known_ids WHERE first_fresh <= first_known)
"""  # noqa: S608 - constants
_FRESH_COPIES: Final = f"""
SELECT {_KEY} FROM (
  SELECT candidates.*, row_number() OVER (
    PARTITION BY source, message_id
    ORDER BY
      date, hour, received_at NULLS LAST, shard_id, sequence_number, record_index
  ) AS copy_number
  FROM event_candidates AS candidates
) AS numbered
LEFT JOIN event_known_ids AS known ON known.digest = numbered.digest
WHERE copy_number > 1 OR known.first_known < known.first_fresh
"""  # noqa: S608 - constants
#: Rows that their position doesn't identify: of versions without `object_id`, or of two objects
#: with the same rows.
_UNIDENTIFIED: Final = f"""
SELECT count(*) FROM (
  SELECT {_KEY} FROM event_candidates AS candidates
  GROUP BY {_KEY}
  HAVING count(*) > 1 OR object_id IS NULL
) AS unidentified
"""  # noqa: S608 - constants
_SAME_ROWS: Final = (
    "SELECT count(*) FROM event_index WHERE object_name IS NULL AND shard_id IS NULL"
)


class Engine(Protocol):
    """A connection of DuckDB or a session of Spark.

    `sha256` is the SQL of a text's digest in hexadecimal digits, with "{}" for the text.
    """

    sha256: str

    def table(self, name: str, prefix: str, paths: Sequence[str]) -> None:
        """Create a temporary table or view over some of the lake's objects (keys)."""

    def view(self, name: str, statement: str) -> None:
        """Create a temporary table of a statement's rows, which fit into memory."""

    def query(self, statement: str) -> Sequence[Any]:
        """Run a statement and return its rows."""


class Listing(NamedTuple):
    """The keys of the lake's objects: all of `events/`, `compacted/`, `copies/` and `seen/`."""

    events: frozenset[str]
    compacted: frozenset[str]
    copies: frozenset[str]
    seen: frozenset[str]

    @classmethod
    def of(cls, keys: Iterable[str]) -> "Listing":
        """Divide keys by their prefix."""
        by_prefix: dict[str, set[str]] = {prefix: set() for prefix in _PREFIXES}
        for key in keys:
            if key.endswith(".parquet"):
                by_prefix.get(key.partition("/")[0], set()).add(key)
        return cls(*(frozenset(by_prefix[prefix]) for prefix in _PREFIXES))

    @classmethod
    def of_folder(cls, folder: Path) -> "Listing":
        """List the objects in a folder."""
        return cls.of(
            path.relative_to(folder).as_posix()
            for prefix in _PREFIXES
            for path in (folder / prefix).rglob("*.parquet")
        )


def use_index(engine: Engine, lake: Listing) -> bool:
    """Create `events_once` by the index of copies; False if the index isn't complete.

    The table `events` exists. Objects must not be added or deleted later.
    """
    compared = {it for it in lake.copies if not _LATE.fullmatch(it)}
    settled = {it.replace("copies/", "compacted/", 1) for it in compared}
    # An erasure deletes the log from its first entry on.
    log = _log(lake.seen)
    if not compared or not log or not settled <= lake.compacted:
        return False
    # An entry of the log counts from its creation on, also if its run stopped before the rest.
    newest = log[-1].rpartition("-")[2]
    engine.table("event_log", "seen", [f"seen/sha256-{newest.removesuffix('.parquet')}-{newest}"])
    targets = engine.query("SELECT DISTINCT target FROM event_log WHERE target IS NOT NULL")
    engine.table("event_index", "copies", sorted(lake.copies))
    names = engine.query(
        "SELECT date, hour, object_name FROM event_index WHERE object_name IS NOT NULL"
    )
    known = {f"events/date={date}/hour={hour}/{name}" for date, hour, name in names}
    complete = {row[0] for row in targets} <= lake.copies and known <= lake.events
    if not complete or engine.query(_SAME_ROWS)[0][0]:
        return False
    copies = _KNOWN_COPIES
    if fresh := lake.events - known:
        _compare(engine, fresh, settled, log)
        if engine.query(_UNIDENTIFIED)[0][0]:
            return False
        copies = f"{_KNOWN_COPIES} UNION ALL {_FRESH_COPIES}"
    engine.view("event_copies", copies)
    engine.query(INDEXED_VIEW.read_text())
    return True


def _log(seen: Iterable[str]) -> list[str]:
    """Return the fewest keys that have all entries of the log; none if an entry is missing."""
    entries = [(int(it[1]), int(it[2]), it[0]) for it in map(_ENTRY.fullmatch, seen) if it]
    keys: list[str] = []
    last = 0
    while following := [(end, key) for first, end, key in entries if first == last + 1]:
        last, key = max(following)
        keys.append(key)
    return keys if last == max((end for _, end, _ in entries), default=0) else []


def _compare(
    engine: Engine, fresh: Collection[str], settled: Iterable[str], log: Sequence[str]
) -> None:
    """Create `event_candidates`: the rows of fresh objects, and the compared rows beside them.

    Only the log has the ids of all days: of other days' rows only those are read whose id is in an
    earlier fresh row.
    """
    digest = f"unhex(left({engine.sha256.format(_TEXT)}, 32))"
    folders = {key.rpartition("/")[0] for key in fresh}
    hours = ", ".join(
        f"('{date}', '{hour}', {_hour_number(date, hour)})"
        for date, hour in sorted(_date_and_hour(folder) for folder in folders)
    )
    engine.table("events_fresh", "events", sorted(fresh))
    engine.table("event_seen", "seen", log)
    engine.view("event_fresh", _FRESH.format(digest=digest, hours=hours))
    engine.view("event_known_ids", _KNOWN_IDS)
    later = {row[0] for row in engine.query(_HOURS)}
    files = [it for it in settled if _hour_number(*_date_and_hour(it.rpartition("/")[0])) in later]
    candidates = _CANDIDATES
    if files:
        engine.table("events_settled", "compacted", sorted(files))
        candidates = f"{_CANDIDATES} UNION ALL {_SETTLED.format(digest=digest)}"
    engine.view("event_candidates", candidates)


def _date_and_hour(folder: str) -> tuple[str, str]:
    """Return the values of ".../date=2026-11-28/hour=09"."""
    _, date, hour = folder.rsplit("/", 2)
    return date.removeprefix("date="), hour.removeprefix("hour=")


def _hour_number(date: str, hour: str) -> int:
    """Return the number of an hour since 1970."""
    start = datetime.fromisoformat(date).replace(hour=int(hour), tzinfo=UTC)
    return int(start.timestamp()) // 3600
