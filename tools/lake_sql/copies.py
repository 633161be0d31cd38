"""The view `events_once` by the index of copies, in DuckDB and Spark.

Compaction lists in `copies/` which good rows aren't the first copy of their id
(src/stream_processor/compaction/copies.py). Objects that it didn't compare yet are compared when a
query reads the view. The index is used only if it is complete for the objects of the lake;
otherwise the view of lake/views, which reads the ids of all days, stays. Both have the same rows.

This module needs the standard library only, so it also runs beside Spark.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

INDEXED_VIEW: Final = Path(__file__).resolve().parents[2] / "lake" / "index" / "events_once.sql"
_PREFIXES: Final = ("events", "compacted", "copies", "seen")
_LATE: Final = re.compile(r".*/late-\d{8}\.parquet")
_KEY: Final = "date, hour, object_id, shard_id, sequence_number, record_index"
_KNOWN_COPIES: Final = f"SELECT {_KEY} FROM event_index WHERE shard_id IS NOT NULL"  # noqa: S608 - constants
#: Good rows of objects that aren't compared, and the compared rows with their ids.
_CANDIDATES: Final = f"""
SELECT {_KEY}, received_at, source, message_id FROM events_fresh WHERE verdict = 'good'
UNION ALL
SELECT {_KEY}, received_at, source, message_id FROM events_settled
WHERE message_id IN (SELECT message_id FROM events_fresh WHERE verdict = 'good')
"""  # noqa: S608 - constants
_FRESH_COPIES: Final = f"""
SELECT {_KEY} FROM (
  SELECT {_KEY}, row_number() OVER (
    PARTITION BY source, message_id
    ORDER BY
      date, hour, received_at NULLS LAST, shard_id, sequence_number, record_index
  ) AS copy_number
  FROM ({_CANDIDATES}) AS candidates
) AS numbered
WHERE copy_number > 1
"""  # noqa: S608 - constants
#: Rows that their position doesn't identify: of versions without `object_id`, or of two objects
#: with the same rows.
_UNIDENTIFIED: Final = f"""
SELECT count(*) FROM (
  SELECT {_KEY} FROM ({_CANDIDATES}) AS candidates
  GROUP BY {_KEY}
  HAVING count(*) > 1 OR object_id IS NULL
) AS unidentified
"""  # noqa: S608 - constants
_SAME_ROWS: Final = (
    "SELECT count(*) FROM event_index WHERE object_name IS NULL AND shard_id IS NULL"
)


class Engine(Protocol):
    """A connection of DuckDB or a session of Spark."""

    def table(self, name: str, prefix: str, paths: Sequence[str]) -> None:
        """Create a temporary table or view over some of the lake's objects (keys)."""

    def view(self, name: str, statement: str) -> None:
        """Create a temporary view of a statement's rows; an engine can hold them in memory."""

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
    has_log = any(it.startswith("seen/00000001-") for it in lake.seen)
    if not compared or not has_log or not settled <= lake.compacted:
        return False
    # An entry of the log counts from its creation on, also if its run stopped before the rest.
    last = max(lake.seen, key=lambda key: key.rpartition("-")[2])
    newest = last.rpartition("-")[2].removesuffix(".parquet")
    engine.table("event_log", "seen", [f"seen/{newest}-{newest}.parquet"])
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
        engine.table("events_fresh", "events", sorted(fresh))
        engine.table("events_settled", "compacted", sorted(settled))
        if engine.query(_UNIDENTIFIED)[0][0]:
            return False
        copies = f"{_KNOWN_COPIES} UNION ALL {_FRESH_COPIES}"
    engine.view("event_copies", copies)
    engine.query(INDEXED_VIEW.read_text())
    return True
