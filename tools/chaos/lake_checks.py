"""Check the data lake after the faults: SQL over its objects, compared with the sent data."""

import base64
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import duckdb

from tools.chaos.appointment_writer import Change, WrittenChanges
from tools.chaos.event_sender import SentEvents
from tools.chaos.plan import Plan
from tools.chaos.stream_rows import StreamRow
from tools.paths import ROOT


class Check(NamedTuple):
    """A count in the lake and its expected value."""

    name: str
    expected: int
    actual: int

    @property
    def passed(self) -> bool:
        """Whether the count is as expected."""
        return self.expected == self.actual


#: Objects with other row counts than in their metadata.
_METADATA_DIFFERENCES: Final = """
SELECT count(*) FROM meta LEFT JOIN (
    SELECT filename, count(*) FILTER (verdict = 'good') AS good,
           count(*) FILTER (verdict = 'bad') AS bad,
           count(*) FILTER (verdict = 'duplicate') AS duplicate, count(*) AS all_rows
    FROM lake GROUP BY filename) AS rows USING (filename)
WHERE (meta.good, meta.bad, meta.duplicate, meta.good + meta.bad + meta.duplicate)
      IS DISTINCT FROM (coalesce(rows.good, 0), coalesce(rows.bad, 0),
                        coalesce(rows.duplicate, 0), coalesce(rows.all_rows, 0))
"""
#: Redrive writes a corrected row at the position of a bad one; those rows are excluded.
_STREAM_ROWS: Final = """
SELECT count(*) FROM (
    SELECT stream.bad, count(rows.shard_id) AS times,
           count(*) FILTER (rows.verdict = 'bad') AS bad_times
    FROM stream LEFT JOIN (SELECT * FROM events WHERE again IS NOT true) AS rows
    USING (shard_id, sequence_number, record_index)
    GROUP BY shard_id, sequence_number, record_index, stream.bad) WHERE
"""
_ACCEPTED: Final = """
SELECT count(*) FROM (
    SELECT accepted.message_id, count(stored.message_id) AS times
    FROM accepted LEFT JOIN events_once AS stored USING (message_id) GROUP BY 1) WHERE
"""
_TTL_REMOVALS: Final = "SELECT count(*) FROM changes WHERE by_ttl AND list_contains($1, pk)"
#: The newest image of each item in stream order; a repair comes after the row that it repairs.
_NEWEST_IMAGES: Final = """
SELECT keys_json, new_image_json FROM changes WHERE verdict = 'good'
QUALIFY row_number() OVER (
    PARTITION BY keys_json ORDER BY sequence_number DESC, record_index DESC) = 1
"""


class LakeChecks:
    """DuckDB tables `lake`, `events`, `changes` and `meta` with copies of all lake objects."""

    def __init__(self, s3: Any, bucket: str, directory: Path) -> None:
        self._connection = duckdb.connect(":memory:")
        self._connection.execute("SET TimeZone = 'UTC'; SET threads = 2")
        meta = []
        for prefix in ("events", "changes"):
            pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/")
            for key in (it["Key"] for page in pages for it in page.get("Contents", [])):
                path = directory / key
                path.parent.mkdir(parents=True, exist_ok=True)
                answer = s3.get_object(Bucket=bucket, Key=key)
                path.write_bytes(answer["Body"].read())
                counts = (int(answer["Metadata"][name]) for name in ("good", "bad", "duplicate"))
                meta.append((str(path), path.name.startswith("again-"), *counts))
        self.objects = len(meta)
        self._run("CREATE TABLE meta (filename TEXT, again BOOL, good INT, bad INT, duplicate INT)")
        self._connection.executemany("INSERT INTO meta VALUES ($1, $2, $3, $4, $5)", meta)
        for prefix in ("events", "changes"):
            self._run(
                f"CREATE TABLE {prefix} AS SELECT * FROM "  # noqa: S608 - one of two constants
                "read_parquet($1, union_by_name = true, filename = true, "
                "hive_partitioning = true, hive_types_autocast = false) "
                "LEFT JOIN (SELECT filename, again FROM meta) USING (filename)",
                [str(directory / prefix / "**" / "*.parquet")],
            )
        # The view reads compacted hours too; the lake of this run has none.
        none = "SELECT *, 0 AS hour_rows FROM events WHERE false"
        self._run(f"CREATE VIEW events_compacted AS {none}")
        self._run(
            "CREATE TABLE lake AS SELECT filename, verdict FROM events "
            "UNION ALL SELECT filename, verdict FROM changes"
        )
        self._run((ROOT / "lake/views/events_once.sql").read_text())

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    def check_metadata(self) -> list[Check]:
        """Compare each object's rows with the counts in its metadata."""
        return [
            Check(
                "objects with wrong row counts in their metadata",
                0,
                self._one(_METADATA_DIFFERENCES),
            )
        ]

    def check_stream_rows(self, rows: Sequence[StreamRow]) -> list[Check]:
        """Check that the lake has each row of the stream once, with the expected verdict."""
        self._run(
            "CREATE OR REPLACE TABLE stream "
            "(shard_id TEXT, sequence_number TEXT, record_index INT, bad BOOL)"
        )
        self._connection.executemany(
            "INSERT INTO stream VALUES ($1, lpad($2, 56, '0'), $3, $4)",
            [(row.shard, str(row.sequence), row.index, row.bad) for row in rows],
        )
        bad = sum(row.bad for row in rows)
        return [
            Check(
                "stream rows, once in the lake", len(rows), self._one(_STREAM_ROWS + "times = 1")
            ),
            Check("stream rows, missing from the lake", 0, self._one(_STREAM_ROWS + "times = 0")),
            Check(
                "stream rows, more than once in the lake", 0, self._one(_STREAM_ROWS + "times > 1")
            ),
            Check(
                "rejected or unreadable rows, once as bad rows",
                bad,
                self._one(_STREAM_ROWS + "bad AND bad_times = 1"),
            ),
            Check(
                "other rows, stored as bad rows",
                0,
                self._one(_STREAM_ROWS + "NOT bad AND bad_times > 0"),
            ),
        ]

    def check_events(self, plan: Plan, sent: SentEvents, unreadable: int) -> list[Check]:
        """Check that `events_once` has each accepted event once, and no other event."""
        self._run("CREATE OR REPLACE TABLE accepted (message_id TEXT)")
        self._connection.executemany(
            "INSERT INTO accepted VALUES ($1)", [(it,) for it in sorted(sent.accepted)]
        )
        unexpected = """
            SELECT count(*) FROM events WHERE verdict <> 'bad' AND message_id LIKE $1
            AND message_id NOT IN (SELECT message_id FROM accepted)"""
        query = """
            SELECT count(DISTINCT raw) FROM events WHERE verdict = 'bad' AND decode(raw) LIKE $1"""
        own, rejected = f"{plan.run}-%", f'%"{plan.run}-%'
        return [
            Check(
                "accepted events, counted once",
                len(sent.accepted),
                self._one(_ACCEPTED + "times = 1"),
            ),
            Check("accepted events, missing", 0, self._one(_ACCEPTED + "times = 0")),
            Check("accepted events, counted more than once", 0, self._one(_ACCEPTED + "times > 1")),
            Check("events counted without acceptance", 0, self._one(unexpected, [own])),
            Check(
                "rejected events, kept as bad rows",
                len(sent.rejected),
                self._one(query, [rejected]),
            ),
            Check(
                "unreadable records, kept as bad rows",
                unreadable,
                self._one(query, [f"{plan.run} unreadable %"]),
            ),
        ]

    def check_changes(self, written: WrittenChanges) -> list[Check]:
        """Check that the lake has each change of this Region once, and none of another Region."""
        pks = sorted({change.pk for change in written.own})
        rows = self._run(
            "SELECT pk, sk, op, version FROM changes "
            "WHERE verdict = 'good' AND source = 'stream' AND list_contains($1, pk)",
            [pks],
        )
        stored = Counter(Change(*row) for row in rows)
        expected = Counter(written.own)
        return [
            Check("changes of this Region, in the lake", len(written.own), stored.total()),
            Check("changes of this Region, missing", 0, (expected - stored).total()),
            Check(
                "removals by DynamoDB TTL, marked as such",
                written.expired,
                self._one(_TTL_REMOVALS, [pks]),
            ),
            Check("changes stored twice or of another Region", 0, (stored - expected).total()),
        ]

    def check_table_agreement(
        self, table: Sequence[dict[str, Any]], region: str, prefix: str = ""
    ) -> list[Check]:
        """Compare each item's newest image in the lake with the table, attribute by attribute."""
        images = {
            _key_of(json.loads(keys)): _comparable(json.loads(image)) if image else None
            for keys, image in self._run(_NEWEST_IMAGES)
        }
        own = {
            _key_of(item): _comparable(item)
            for item in table
            if item.get("origin_region", {}).get("S") in (None, region)
        }
        lake = {key: image for key, image in images.items() if image is not None}
        same = sum(lake.get(key) == image for key, image in own.items())
        return [
            Check(f"{prefix}appointments, equal in table and lake", len(own), same),
            Check(f"{prefix}appointments, only in the lake", 0, len(lake.keys() - own.keys())),
        ]

    def count_duplicates(self, plan: Plan) -> int:
        """Return the number of the run's rows that are marked as duplicates."""
        return self._one(
            "SELECT count(*) FROM events WHERE verdict = 'duplicate' AND message_id LIKE $1",
            [f"{plan.run}-%"],
        )

    def count_excluded_copies(self, plan: Plan) -> int:
        """Return the number of the run's good rows that `events_once` excludes."""
        return self._one(
            "SELECT count(*) - count(DISTINCT message_id) FROM events "
            "WHERE verdict = 'good' AND message_id LIKE $1",
            [f"{plan.run}-%"],
        )

    def count_reconciled(self) -> int:
        """Return the number of rows that reconcile added."""
        return self._one("SELECT count(*) FROM changes WHERE source = 'reconciler'")

    def _one(self, statement: str, parameters: Sequence[object] = ()) -> int:
        ((count,),) = self._run(statement, parameters)
        return int(count)

    def _run(self, statement: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement, list(parameters)).fetchall()


def _key_of(keys: dict[str, Any]) -> tuple[str, str]:
    return keys["pk"]["S"], keys["sk"]["S"]


def _comparable(value: Any) -> Any:
    """Normalise DynamoDB JSON for comparison: bytes as base64, sorted sets."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, list):
        return [_comparable(item) for item in value]
    if isinstance(value, dict):
        return {
            name: sorted(map(_comparable, inner))
            if name in ("SS", "NS", "BS")
            else _comparable(inner)
            for name, inner in value.items()
        }
    return value
