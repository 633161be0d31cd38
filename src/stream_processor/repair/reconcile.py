"""Nightly reconciliation: compares the appointments table with the lake and repairs the lake.

DynamoDB Streams keeps a change for 24 hours. The reconciliation finds items whose state in the lake
differs from the table, and writes rows with `source = 'reconciler'`: the state is correct again,
and queries can tell a repair from a change that came from the stream.

A repair has the sequence number of the item's newest change in the lake and the next record index,
so that a late change still sorts after it. The states are saved, so a run reads only the objects
that are new since the last one; `--from DAY` reads all from a day on. A schedule invokes
ChangesFunction every night; an operator runs `python -m stream_processor.repair.reconcile`.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

import telemetry
from stream_processor import settings
from stream_processor.errors import StreamProcessorError
from stream_processor.ingest.sequence_numbers import padded
from stream_processor.repair.item_states import ItemState, ItemStates
from stream_processor.rows import change_rows
from stream_processor.rows.change_rows import compact
from stream_processor.rows.lake_schema import GOOD, SCHEMA_VERSION
from stream_processor.storage import lake_keys, object_writer
from stream_processor.storage.app_context import AppContext
from stream_processor.storage.object_writer import RecordRange

type Item = Mapping[str, Any]

RECONCILER: Final = "reconciler"


@dataclass(slots=True)
class Comparison:
    """Counts of one run, in items. `repaired` rows were written to `key`.

    `objects_read` and `bytes_read` of the lake. `finished` is False if the time ended before every
    object was read: nothing was compared, and the next run goes on.
    """

    items: int = 0
    agree: int = 0
    missing: int = 0
    stale: int = 0
    removed: int = 0
    repaired: int = 0
    key: str | None = None
    objects_read: int = 0
    bytes_read: int = 0
    finished: bool = True

    def __str__(self) -> str:
        return json.dumps({name: getattr(self, name) for name in self.__slots__})


class Reconciler:
    """Compare the appointments table with the lake, and repair the lake."""

    def __init__(self, app: AppContext, sleep: Callable[[float], None] = time.sleep) -> None:
        self._app = app
        self._sleep = sleep

    def run(
        self,
        run_id: str,
        at: datetime,
        *,
        since: date | None = None,
        has_time: Callable[[], bool] = lambda: True,
    ) -> Comparison:
        """Compare and repair. `run_id` is part of the key: a retried run writes nothing twice.

        Reads the objects that the saved states of an earlier run don't contain; with `since`, every
        object from that date on.

        Raises:
            StorageError: DynamoDB or S3 failed.
            ConservationError: The rows of the repair don't match their counts.
        """
        comparison = Comparison()
        bucket = self._app.lake
        states = (
            ItemStates.saved(bucket, at) if since is None else ItemStates.since(bucket, since, at)
        )
        comparison.finished = states.update(has_time)
        if comparison.finished:
            self._compare(states, run_id, at, comparison)
        states.save(run_id, at, finished=comparison.finished)
        comparison.objects_read, comparison.bytes_read = states.objects_read, states.bytes_read
        comparison.agree = comparison.items - comparison.missing - comparison.stale
        telemetry.count("ChangesRepaired", comparison.repaired)
        telemetry.count("ItemsCompared", comparison.items)
        telemetry.count("ReconciliationsUnfinished", int(not comparison.finished))
        telemetry.info("reconciliation finished", result=str(comparison))
        return comparison

    def _compare(
        self, states: ItemStates, run_id: str, at: datetime, comparison: Comparison
    ) -> None:
        table = self._own_items()
        comparison.items = len(table)
        suspects = self._differences(table, states.by_key)
        if not suspects:
            return
        # A recent change can still be on its way through the stream: wait once and compare the
        # differing items again. The stream delivers changes that were made during the wait.
        self._sleep(self._app.settings.reconcile_grace_seconds)
        states.update(lambda: True)
        now = {key: self._item(key) for key in suspects}
        items = {key: item for key, item in now.items() if item is not None}
        differing = self._differences(items, states.by_key, suspects)
        confirmed = {
            key: kind
            for key, kind in differing.items()
            if _image(now[key]) == _image(table.get(key))
        }
        self._repair(confirmed, items, states.by_key, run_id, at, comparison)

    def _own_items(self) -> dict[str, Item]:
        regions = self._app.settings.exported_regions
        return {
            _key(item): item
            for item in self._app.appointments.scan()
            if change_rows.exported(item, regions)
        }

    def _item(self, key: str) -> Item | None:
        return self._app.appointments.get(json.loads(key))

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


def scheduled(
    event: Mapping[str, Any], app: AppContext, has_time: Callable[[], bool] = lambda: True
) -> dict[str, Any]:
    """Run for EventBridge Scheduler; a retry has the same scheduled time.

    Raises:
        StreamProcessorError: Scheduler invokes the function again.
    """
    at = datetime.fromisoformat(event["scheduled_time"])
    comparison = Reconciler(app).run(f"{at:%Y%m%dT%H%M%S}", at, has_time=has_time)
    return {name: getattr(comparison, name) for name in comparison.__slots__}


def main(arguments: list[str] | None = None) -> int:
    """Compare and repair now, and print the counts. Returns 1 after an error."""
    parser = argparse.ArgumentParser(prog="stream_processor.repair.reconcile", description=__doc__)
    parser.add_argument(
        "--from",
        dest="since",
        type=date.fromisoformat,
        help="read every object from this date on, and ignore the saved states",
    )
    options = parser.parse_args(arguments)
    os.environ.setdefault("POWERTOOLS_METRICS_DISABLED", "true")
    at = datetime.now(UTC)
    try:
        app = AppContext.from_settings(settings.parse(os.environ))
        result = Reconciler(app).run(f"{at:%Y%m%dT%H%M%S%f}", at, since=options.since)
        print("reconciled", result)
    except StreamProcessorError as error:
        print(f"reconcile: {error} ({error.code})", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
