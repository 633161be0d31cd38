"""What the lake holds after the storm, counted by SQL of its own, against what was sent."""

import base64
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from tools.chaos.plan import Plan
from tools.chaos.school import Change, Written
from tools.chaos.stream import Row
from tools.chaos.visitors import Sent
from tools.sam import ROOT

#: (what is counted, what it must be, what it is)
type Line = tuple[str, int, int]

#: Objects whose rows are others than their metadata says.
_UNEQUAL = """
SELECT count(*) FROM meta LEFT JOIN (
    SELECT filename, count(*) FILTER (verdict = 'good') AS good,
           count(*) FILTER (verdict = 'bad') AS bad,
           count(*) FILTER (verdict = 'duplicate') AS duplicate, count(*) AS all_rows
    FROM lake GROUP BY filename) AS rows USING (filename)
WHERE (meta.good, meta.bad, meta.duplicate, meta.good + meta.bad + meta.duplicate)
      IS DISTINCT FROM (rows.good, rows.bad, rows.duplicate, rows.all_rows)
"""
#: A row that a redrive wrote of a bad one stands at the place of that one: it is left out.
_PLACES = """
SELECT count(*) FROM (
    SELECT stream.bad, count(rows.shard_id) AS times,
           count(*) FILTER (rows.verdict = 'bad') AS bad_times
    FROM stream LEFT JOIN (SELECT * FROM events WHERE again IS NOT true) AS rows
    USING (shard_id, sequence_number, record_index)
    GROUP BY shard_id, sequence_number, record_index, stream.bad) WHERE
"""
_SENT = """
SELECT count(*) FROM (
    SELECT accepted.message_id, count(stored.message_id) AS times
    FROM accepted LEFT JOIN events_once AS stored USING (message_id) GROUP BY 1) WHERE
"""
_BY_TTL = "SELECT count(*) FROM changes WHERE by_ttl AND list_contains($1, pk)"
#: The newest state of each item: by the stream's order, a repair behind what it repairs.
_NOW = """
SELECT keys_json, new_image_json FROM changes WHERE verdict = 'good'
QUALIFY row_number() OVER (
    PARTITION BY keys_json ORDER BY sequence_number DESC, record_index DESC) = 1
"""


class Lake:
    """Copies of all objects of a lake, as tables: `lake`, `events`, `changes`, `meta`."""

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
                f"CREATE TABLE {prefix} AS SELECT * FROM "  # noqa: S608 - one of two words of ours
                "read_parquet($1, union_by_name = true, filename = true, "
                "hive_partitioning = true, hive_types_autocast = false) "
                "LEFT JOIN (SELECT filename, again FROM meta) USING (filename)",
                [str(directory / prefix / "**" / "*.parquet")],
            )
        # The view says the same of an hour whether it is compacted or not.
        none = "SELECT *, 0 AS hour_rows FROM events WHERE false"
        self._run(f"CREATE VIEW events_compacted AS {none}")
        self._run(
            "CREATE TABLE lake AS SELECT filename, verdict FROM events "
            "UNION ALL SELECT filename, verdict FROM changes"
        )
        self._run((ROOT / "lake/views/events_once.sql").read_text())

    def close(self) -> None:
        """Forget the tables."""
        self._connection.close()

    def conserved(self) -> list[Line]:
        """In = good + bad + duplicate, object by object."""
        return [("objects whose rows are not what they say", 0, self._one(_UNEQUAL))]

    def places(self, rows: Sequence[Row]) -> list[Line]:
        """Each row of the stream at its place exactly once, and bad where it must be."""
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
            ("rows on the stream, in the lake once", len(rows), self._one(_PLACES + "times = 1")),
            ("rows on the stream, not in the lake", 0, self._one(_PLACES + "times = 0")),
            ("rows on the stream, in the lake twice", 0, self._one(_PLACES + "times > 1")),
            (
                "rejected or unreadable, kept as bad once",
                bad,
                self._one(_PLACES + "bad AND bad_times = 1"),
            ),
            ("neither, and yet bad", 0, self._one(_PLACES + "NOT bad AND bad_times > 0")),
        ]

    def events(self, plan: Plan, sent: Sent, garbage: int) -> list[Line]:
        """Each accepted event counts once, and nothing counts that was not accepted."""
        self._run("CREATE OR REPLACE TABLE accepted (message_id TEXT)")
        self._connection.executemany(
            "INSERT INTO accepted VALUES ($1)", [(it,) for it in sorted(sent.accepted)]
        )
        strange = """
            SELECT count(*) FROM events WHERE verdict <> 'bad' AND message_id LIKE $1
            AND message_id NOT IN (SELECT message_id FROM accepted)"""
        kept = """
            SELECT count(DISTINCT raw) FROM events WHERE verdict = 'bad' AND decode(raw) LIKE $1"""
        mine, rejected = f"{plan.run}-%", f'%"{plan.run}-%'
        return [
            ("accepted events, counted once", len(sent.accepted), self._one(_SENT + "times = 1")),
            ("accepted events, missing", 0, self._one(_SENT + "times = 0")),
            ("accepted events, counted twice", 0, self._one(_SENT + "times > 1")),
            ("events counted that nobody accepted", 0, self._one(strange, [mine])),
            ("rejected events, kept", len(sent.rejected), self._one(kept, [rejected])),
            ("unreadable records, kept", garbage, self._one(kept, [f"{plan.run} is %"])),
        ]

    def changes(self, written: Written) -> list[Line]:
        """Each change of this region exactly once, and none of another region."""
        pks = sorted({change.pk for change in written.own})
        rows = self._run(
            "SELECT pk, sk, op, version FROM changes "
            "WHERE verdict = 'good' AND source = 'stream' AND list_contains($1, pk)",
            [pks],
        )
        found = Counter(Change(*row) for row in rows)
        expected = Counter(written.own)
        return [
            ("changes of this region, in the lake", len(written.own), found.total()),
            ("changes of this region, missing", 0, (expected - found).total()),
            (
                "removals by DynamoDB itself (TTL), marked so",
                written.expired,
                self._one(
                    "SELECT count(*) FROM changes WHERE by_ttl AND list_contains($1, pk)", [pks]
                ),
            ),
            ("changes there twice, or another region's", 0, (found - expected).total()),
        ]

    def agreement(self, table: Sequence[dict[str, Any]], region: str, when: str = "") -> list[Line]:
        """The newest state of each item is that of the table, attribute by attribute."""
        states = {
            _place(json.loads(keys)): _plain(json.loads(image)) if image else None
            for keys, image in self._run(_NOW)
        }
        own = {
            _place(item): _plain(item)
            for item in table
            if item.get("origin_region", {}).get("S") in (None, region)
        }
        lake = {place: image for place, image in states.items() if image is not None}
        same = sum(lake.get(place) == image for place, image in own.items())
        return [
            (f"{when}appointments, the same in table and lake", len(own), same),
            (f"{when}appointments that only the lake has", 0, len(lake.keys() - own.keys())),
        ]

    def duplicates(self, plan: Plan) -> int:
        """Rows of this run that were recognised as sent again."""
        return self._one(
            "SELECT count(*) FROM events WHERE verdict = 'duplicate' AND message_id LIKE $1",
            [f"{plan.run}-%"],
        )

    def copies(self, plan: Plan) -> int:
        """Good rows of this run that the view leaves out."""
        return self._one(
            "SELECT count(*) - count(DISTINCT message_id) FROM events "
            "WHERE verdict = 'good' AND message_id LIKE $1",
            [f"{plan.run}-%"],
        )

    def repairs(self) -> int:
        """Rows that the comparison of table and lake added."""
        return self._one("SELECT count(*) FROM changes WHERE source = 'reconciler'")

    def _one(self, statement: str, parameters: Sequence[object] = ()) -> int:
        ((count,),) = self._run(statement, parameters)
        return int(count)

    def _run(self, statement: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement, list(parameters)).fetchall()


def _place(keys: dict[str, Any]) -> tuple[str, str]:
    return keys["pk"]["S"], keys["sk"]["S"]


def _plain(value: Any) -> Any:
    """DynamoDB's JSON so that equal items are equal: bytes as base64, sets in order."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {
            name: sorted(map(_plain, inner)) if name in ("SS", "NS", "BS") else _plain(inner)
            for name, inner in value.items()
        }
    return value
