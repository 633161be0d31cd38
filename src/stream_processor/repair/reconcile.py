"""Nightly reconciliation: compares the appointments table with the lake and repairs the lake.

DynamoDB Streams keeps a change for 24 hours. The reconciliation finds items whose state in the lake
differs from the table, and writes rows with `source = 'reconciler'`: the state is correct again,
and queries can tell a repair from a change that came from the stream.

A repair has the sequence number of the item's newest change in the lake and the next record index,
so that a late change still sorts after it. A schedule invokes ChangesFunction every night; an
operator runs `python -m stream_processor.repair.reconcile`.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import telemetry
from stream_processor import settings
from stream_processor.errors import StreamProcessorError
from stream_processor.ingest.sequence_numbers import padded
from stream_processor.rows import change_rows
from stream_processor.rows.change_rows import compact
from stream_processor.rows.lake_schema import BAD, GOOD, SCHEMA_VERSION
from stream_processor.storage import lake_keys, object_writer, parquet
from stream_processor.storage.app_context import AppContext
from stream_processor.storage.object_writer import RecordRange

type Item = Mapping[str, Any]

RECONCILER: Final = "reconciler"
_COLUMNS: Final = (
    "verdict",
    "op",
    "keys_json",
    "version",
    "new_image_json",
    "sequence_number",
    "record_index",
    "source",
)


@dataclass(frozen=True, slots=True)
class ItemState:
    """The newest state of an item in the lake; `image` is None if the item was removed."""

    image: str | None
    sequence: str
    index: int

    @property
    def position(self) -> tuple[str, int]:
        """Sort key of the row that the state comes from."""
        return (self.sequence, self.index)


@dataclass(slots=True)
class Comparison:
    """Counts of one run, in items. `repaired` rows were written to `key`."""

    items: int = 0
    agree: int = 0
    missing: int = 0
    stale: int = 0
    removed: int = 0
    repaired: int = 0
    key: str | None = None

    def __str__(self) -> str:
        return json.dumps({name: getattr(self, name) for name in self.__slots__})


class Reconciler:
    """Compare the appointments table with the lake, and repair the lake."""

    def __init__(self, app: AppContext, sleep: Callable[[float], None] = time.sleep) -> None:
        self._app = app
        self._sleep = sleep

    def run(self, run_id: str, at: datetime) -> Comparison:
        """Compare and repair. `run_id` is part of the key: a retried run writes nothing twice.

        Raises:
            StorageError: DynamoDB or S3 failed.
            ConservationError: The rows of the repair don't match their counts.
        """
        comparison = Comparison()
        table = self._own_items()
        comparison.items = len(table)
        suspects = self._differences(table, self._states())
        if suspects:
            # A recent change can still be on its way through the stream: wait once and compare the
            # differing items again. The stream delivers changes that were made during the wait.
            self._sleep(self._app.settings.reconcile_grace_seconds)
            states = self._states()
            now = {key: self._item(key) for key in suspects}
            items = {key: item for key, item in now.items() if item is not None}
            differing = self._differences(items, states, suspects)
            suspects = {
                key: kind
                for key, kind in differing.items()
                if _image(now[key]) == _image(table.get(key))
            }
            self._repair(suspects, items, states, run_id, at, comparison)
        comparison.agree = comparison.items - comparison.missing - comparison.stale
        telemetry.count("ChangesRepaired", comparison.repaired)
        telemetry.count("ItemsCompared", comparison.items)
        telemetry.info("reconciliation finished", result=str(comparison))
        return comparison

    def _own_items(self) -> dict[str, Item]:
        region = self._app.settings.region
        return {
            _key(item): item
            for item in self._app.appointments.scan()
            if change_rows.exported(item, region)
        }

    def _item(self, key: str) -> Item | None:
        return self._app.appointments.get(json.loads(key))

    def _states(self) -> dict[str, ItemState]:
        """Return the newest state of every item, from all objects of `changes/`."""
        states: dict[str, ItemState] = {}
        for key in self._app.lake.keys(f"{lake_keys.CHANGES}/"):
            table = parquet.read(self._app.lake.read(key), _COLUMNS)
            for row in table.to_pylist():
                if row["verdict"] == BAD:
                    continue
                state = ItemState(
                    row["new_image_json"], row["sequence_number"], row["record_index"]
                )
                old = states.get(row["keys_json"])
                if old is None or old.position < state.position:
                    states[row["keys_json"]] = state
        return states

    def _differences(
        self,
        table: Mapping[str, Item],
        states: Mapping[str, ItemState],
        among: Iterable[str] | None = None,
    ) -> dict[str, str]:
        """Return the differing keys: `missing` or `stale` in the lake, `removed` in the table."""
        keys = set(table) | set(states) if among is None else set(among)
        differing: dict[str, str] = {}
        for key in sorted(keys):
            item, state = table.get(key), states.get(key)
            if item is None:
                if state is not None and state.image is not None:
                    differing[key] = "removed"
            elif state is None:
                differing[key] = "missing"
            elif state.image != _image(item):
                differing[key] = "stale"
        return differing

    def _repair(
        self,
        suspects: Mapping[str, str],
        table: Mapping[str, Item],
        states: Mapping[str, ItemState],
        run_id: str,
        at: datetime,
        comparison: Comparison,
    ) -> None:
        if not suspects:
            return
        name = self._app.settings.appointments_table
        rows = [
            _row(key, table.get(key), states.get(key), kind, name, at)
            for key, kind in suspects.items()
        ]
        for kind in suspects.values():
            setattr(comparison, kind, getattr(comparison, kind) + 1)
        pending = object_writer.build(
            change_rows.table(rows),
            rows_in=len(suspects),
            counts=change_rows.counts(rows),
            covers=RecordRange(
                first=0, last=0, arrived_ms=round(at.timestamp() * 1000), records=len(rows)
            ),
            stats=None,
        )
        hour = lake_keys.ShardPrefix(lake_keys.CHANGES, RECONCILER).hour(at)
        key = f"{hour}{RECONCILER}-{run_id}{lake_keys.SUFFIX}"
        if object_writer.create(self._app.lake, key, pending) is None:
            comparison.repaired = len(rows)
            comparison.key = key
            telemetry.error("changes missing in the lake were written", repaired=len(rows), key=key)


def _key(item: Item) -> str:
    return compact({"pk": item["pk"], "sk": item["sk"]})


def _image(item: Item | None) -> str | None:
    return None if item is None else change_rows.image_text(item)


def _row(
    key: str, item: Item | None, state: ItemState | None, kind: str, table_name: str, at: datetime
) -> dict[str, Any]:
    keys = json.loads(key)
    op = {"missing": "INSERT", "stale": "MODIFY", "removed": "REMOVE"}[kind]
    old = state.image if state is not None else None
    image = item if item is not None else (json.loads(old) if old else None)
    return {
        "verdict": GOOD,
        "reason_code": f"repaired_{kind}",
        "reason": "the table and the lake differed",
        "op": op,
        "by_ttl": False,
        "table_name": table_name,
        "pk": change_rows.text(keys["pk"]),
        "sk": change_rows.text(keys["sk"]),
        "version": change_rows.version(image),
        "origin_region": change_rows.text((image or {}).get("origin_region")),
        "keys_json": key,
        "old_image_json": old,
        "new_image_json": _image(item),
        "changed_at": round(at.timestamp() * 1000),
        "source": RECONCILER,
        "event_id": None,
        "raw": None,
        "shard_id": RECONCILER,
        "sequence_number": state.sequence if state is not None else padded(0),
        "record_index": state.index + 1 if state is not None else 0,
        "schema_version": SCHEMA_VERSION,
    }


def scheduled(event: Mapping[str, Any], app: AppContext) -> dict[str, Any]:
    """Run for EventBridge Scheduler; a retry has the same scheduled time.

    Raises:
        StreamProcessorError: Scheduler invokes the function again.
    """
    at = datetime.fromisoformat(event["scheduled_time"])
    comparison = Reconciler(app).run(f"{at:%Y%m%dT%H%M%S}", at)
    return {name: getattr(comparison, name) for name in comparison.__slots__}


def main(arguments: list[str] | None = None) -> int:
    """Compare and repair now, and print the counts. Returns 1 after an error."""
    parser = argparse.ArgumentParser(prog="stream_processor.repair.reconcile", description=__doc__)
    parser.parse_args(arguments)
    os.environ.setdefault("POWERTOOLS_METRICS_DISABLED", "true")
    at = datetime.now(UTC)
    try:
        app = AppContext.from_settings(settings.parse(os.environ))
        print("reconciled", Reconciler(app).run(f"{at:%Y%m%dT%H%M%S%f}", at))
    except StreamProcessorError as error:
        print(f"reconcile: {error} ({error.code})", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
