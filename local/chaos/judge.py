"""What the lake holds after the storm, counted by SQL of its own, against what was sent."""

import base64
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from local.chaos.plan import Plan
from local.chaos.school import Change, Written
from local.chaos.visitors import Sent

#: (what is counted, what it must be, what it is)
type Line = tuple[str, int, int]

#: Objects whose rows are others than their metadata says.
_UNEQUAL = """
SELECT count(*) FROM meta LEFT JOIN (
    SELECT filename, count(*) FILTER (verdict = 'good') AS good,
           count(*) FILTER (verdict = 'bad') AS bad,
           count(*) FILTER (verdict = 'duplicate') AS duplicate, count(*) AS all_rows
    FROM lake GROUP BY filename) AS rows ON rows.filename = meta.path
WHERE (meta.good, meta.bad, meta.duplicate, meta.good + meta.bad + meta.duplicate)
      IS DISTINCT FROM (rows.good, rows.bad, rows.duplicate, rows.all_rows)
"""
_KEPT = """
SELECT count(DISTINCT raw) FROM events WHERE verdict = 'bad' AND decode(raw) LIKE $1
"""
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
        paths: dict[str, list[str]] = {"events": [], "changes": []}
        meta = []
        directory.mkdir(parents=True, exist_ok=True)
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        for number, item in enumerate(it for page in pages for it in page.get("Contents", [])):
            path = directory / f"{number:06d}.parquet"
            answer = s3.get_object(Bucket=bucket, Key=item["Key"])
            path.write_bytes(answer["Body"].read())
            paths[item["Key"].partition("/")[0]].append(str(path))
            counts = (int(answer["Metadata"][name]) for name in ("good", "bad", "duplicate"))
            meta.append((str(path), *counts))
        self.objects = len(meta)
        for name, files in paths.items():
            self._run(
                f"CREATE TABLE {name} AS SELECT * FROM "  # noqa: S608 - one of two words of ours
                "read_parquet($1, union_by_name = true, filename = true)",
                [files],
            )
        self._run(
            "CREATE TABLE lake AS SELECT filename, verdict FROM events "
            "UNION ALL SELECT filename, verdict FROM changes"
        )
        self._run("CREATE TABLE meta (path TEXT, good INT, bad INT, duplicate INT)")
        self._connection.executemany("INSERT INTO meta VALUES ($1, $2, $3, $4)", meta)

    def close(self) -> None:
        """Forget the tables."""
        self._connection.close()

    def conserved(self) -> list[Line]:
        """In = good + bad + duplicate, object by object."""
        return [("objects whose rows are not what they say", 0, self._one(_UNEQUAL))]

    def events(self, plan: Plan, sent: Sent, garbage: int) -> list[Line]:
        """Each accepted event exactly once as a good row, and nothing that was not sent."""
        self._run("CREATE OR REPLACE TABLE accepted (message_id TEXT)")
        self._connection.executemany(
            "INSERT INTO accepted VALUES ($1)", [(it,) for it in sorted(sent.accepted)]
        )
        counted = """
            SELECT count(*) FROM (
                SELECT accepted.message_id, count(stored.message_id) AS times
                FROM accepted LEFT JOIN (
                    SELECT message_id FROM events WHERE verdict = 'good') AS stored
                USING (message_id) GROUP BY 1) WHERE times """
        # What the edge rejected can be good by now: a redrive reads it again.
        strange = """
            SELECT count(*) FROM events WHERE verdict = 'good' AND message_id LIKE $1
            AND message_id NOT IN (SELECT message_id FROM accepted)
            AND NOT list_contains($2, message_id)"""
        return [
            ("accepted events, good rows", len(sent.accepted), self._one(counted + "= 1")),
            ("accepted events missing", 0, self._one(counted + "= 0")),
            ("accepted events stored twice", 0, self._one(counted + "> 1")),
            (
                "good rows that nobody sent",
                0,
                self._one(strange, [f"{plan.run}-%", sorted(sent.rejected)]),
            ),
            # Bad rows have no ids: a record that is on the stream twice has two of them.
            (
                "unreadable records kept as bad rows",
                garbage,
                self._one(_KEPT, [f"{plan.run} is %"]),
            ),
            (
                "rejected events kept as bad rows",
                len(sent.rejected),
                self._one(_KEPT, [f'%"{plan.run}-%']),
            ),
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
            ("changes of this region, rows", len(written.own), found.total()),
            ("changes missing", 0, (expected - found).total()),
            ("changes stored twice, or never made", 0, (found - expected).total()),
        ]

    def agreement(self, table: Sequence[dict[str, Any]], region: str) -> list[Line]:
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
            ("items of the table that agree", len(own), same),
            ("items that only the lake has", 0, len(lake.keys() - own.keys())),
        ]

    def duplicates(self, plan: Plan) -> int:
        """Rows of this run that were recognised as sent again."""
        return self._one(
            "SELECT count(*) FROM events WHERE verdict = 'duplicate' AND message_id LIKE $1",
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
