"""The nightly comparison: what the appointments table holds against what the lake says it holds.

DynamoDB keeps a change for 24 hours. Whatever went wrong for longer than that is found here by key
and version, and repaired by rows of their own, marked `source = 'reconciler'`: the state of an item
is right again at once, and the reader can tell a repair from a change that was seen happening.

A repair stands behind the newest change that the lake has of its item (same sequence number, next
record index), so that a change which is merely late still comes after it.
"""

import argparse
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import telemetry
from stream_processor import changerows, lake, parquet, settings
from stream_processor.chain import Summary, padded
from stream_processor.changerows import compact
from stream_processor.door import House
from stream_processor.errors import StreamProcessorError
from stream_processor.schema import BAD, GOOD, SCHEMA_VERSION

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
class State:
    """What the lake says of an item: its newest image, None where it was removed."""

    image: str | None
    sequence: str
    index: int

    @property
    def place(self) -> tuple[str, int]:
        return (self.sequence, self.index)


@dataclass(slots=True)
class Comparison:
    """What a run found, in items. `repaired` rows were written under `key`."""

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
    """Compares a table with its lake, and repairs the lake."""

    def __init__(self, house: House, sleep: Callable[[float], None] = time.sleep) -> None:
        self._house = house
        self._sleep = sleep

    def run(self, run_id: str, at: datetime) -> Comparison:
        """Compare and repair. `run_id` names the run: a retry of the same run repairs once."""
        found = Comparison()
        table = self._own_items()
        found.items = len(table)
        suspects = self._differences(table, self._states())
        if suspects:
            # What changed a moment ago may be on its way: wait as long as it takes, once, and ask
            # again for what differed. A change since then is the stream's to bring.
            self._sleep(self._house.settings.reconcile_grace_seconds)
            states = self._states()
            now = {key: self._item(key) for key in suspects}
            known = {key: item for key, item in now.items() if item is not None}
            differing = self._differences(known, states, suspects)
            suspects = {
                key: kind
                for key, kind in differing.items()
                if _image(now[key]) == _image(table.get(key))
            }
            self._repair(suspects, known, states, run_id, at, found)
        found.agree = found.items - found.missing - found.stale
        telemetry.count("ChangesRepaired", found.repaired)
        telemetry.count("ItemsCompared", found.items)
        telemetry.info("compared", result=str(found))
        return found

    def _own_items(self) -> dict[str, Item]:
        region = self._house.settings.region
        return {
            _key(item): item
            for item in self._house.appointments.scan()
            if changerows.text(item.get("origin_region")) in (None, region)
        }

    def _item(self, key: str) -> Item | None:
        return self._house.appointments.get(json.loads(key))

    def _states(self) -> dict[str, State]:
        """The newest state of every item, from all objects of the lake."""
        states: dict[str, State] = {}
        for key in self._house.lake.keys(f"{lake.CHANGES}/"):
            table = parquet.read(self._house.lake.read(key), _COLUMNS)
            for row in table.to_pylist():
                if row["verdict"] == BAD:
                    continue
                state = State(row["new_image_json"], row["sequence_number"], row["record_index"])
                old = states.get(row["keys_json"])
                if old is None or old.place < state.place:
                    states[row["keys_json"]] = state
        return states

    def _differences(
        self,
        table: Mapping[str, Item],
        states: Mapping[str, State],
        among: Iterable[str] | None = None,
    ) -> dict[str, str]:
        """Keys that differ: `missing` or `stale` in the lake, or `removed` from the table."""
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
        states: Mapping[str, State],
        run_id: str,
        at: datetime,
        found: Comparison,
    ) -> None:
        if not suspects:
            return
        name = self._house.settings.appointments_table
        rows = [
            _row(key, table.get(key), states.get(key), kind, name, at)
            for key, kind in suspects.items()
        ]
        for kind in suspects.values():
            setattr(found, kind, getattr(found, kind) + 1)
        body = parquet.write(changerows.table(rows))
        hour = lake.Prefix(lake.CHANGES, RECONCILER).hour(at)
        key = f"{hour}{RECONCILER}-{run_id}{lake.SUFFIX}"
        summary = Summary(0, 0, round(at.timestamp() * 1000), None, len(rows), len(rows), 0, 0)
        metadata = summary.metadata() | {"sha256": hashlib.sha256(body).hexdigest()}
        if self._house.lake.create(key, body, metadata):
            found.repaired = len(rows)
            found.key = key
            telemetry.error("changes were missing in the lake", repaired=len(rows), key=key)


def _key(item: Item) -> str:
    return compact({"pk": item["pk"], "sk": item["sk"]})


def _image(item: Item | None) -> str | None:
    return None if item is None else changerows.image_text(item)


def _row(
    key: str, item: Item | None, state: State | None, kind: str, table_name: str, at: datetime
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
        "pk": changerows.text(keys["pk"]),
        "sk": changerows.text(keys["sk"]),
        "version": changerows.version(image),
        "origin_region": changerows.text((image or {}).get("origin_region")),
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


def scheduled(event: Mapping[str, Any], house: House) -> dict[str, Any]:
    """Run for EventBridge Scheduler, whose retry has the same scheduled time."""
    at = datetime.fromisoformat(event["scheduled_time"])
    found = Reconciler(house).run(f"{at:%Y%m%dT%H%M%S}", at)
    return {name: getattr(found, name) for name in found.__slots__}


def main(arguments: list[str] | None = None) -> int:
    """Compare and repair now, and print what was found. 1 where AWS did not let it."""
    parser = argparse.ArgumentParser(prog="stream_processor.reconcile", description=__doc__)
    parser.parse_args(arguments)
    os.environ.setdefault("POWERTOOLS_METRICS_DISABLED", "true")
    at = datetime.now(UTC)
    try:
        house = House.of(settings.parse(os.environ))
        print("reconciled", Reconciler(house).run(f"{at:%Y%m%dT%H%M%S%f}", at))
    except StreamProcessorError as error:
        print(f"reconcile: {error} ({error.code})", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
