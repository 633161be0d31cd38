"""The newest state of each appointment in the lake, saved so that a run reads only new objects.

`reconciled/date=YYYY-MM-DD/<run>.parquet` has a row per item, and a row per object that was read in
the last `LOOKBACK`. A run starts from the newest file, and reads the objects of these dates that it
doesn't name. The files expire (stacks/stream.yaml); without one a run reads every object.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import pyarrow as pa

import telemetry
from stream_processor.rows.lake_schema import BAD
from stream_processor.storage import lake_keys, object_writer, parquet
from stream_processor.storage.s3 import Bucket

PREFIX: Final = "reconciled"
#: A change that arrives later is of a redrive: its item was compared, and repaired, without it.
LOOKBACK: Final = timedelta(days=8)
#: A saved file older than this is as good as none: its `LOOKBACK` has ended.
MAX_SAVED_AGE: Final = LOOKBACK - timedelta(days=1)
#: In place of an object's key: every object of earlier dates was read.
_FINISHED: Final = "*"
_COLUMNS: Final = ("verdict", "keys_json", "new_image_json", "sequence_number", "record_index")
SCHEMA: Final = pa.schema(
    [
        ("keys_json", pa.string()),
        ("image", pa.string()),
        ("sequence_number", pa.string()),
        ("record_index", pa.int32()),
        ("object_key", pa.string()),
    ]
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
class ItemStates:
    """The states by key of the item, and the objects that they were read from.

    `seen` are the keys of these objects, without those of dates before `first_folder`.
    """

    bucket: Bucket
    by_key: dict[str, ItemState] = field(default_factory=dict)
    objects_read: int = 0
    bytes_read: int = 0
    seen: set[str] = field(default_factory=set)
    first_folder: str = ""

    @classmethod
    def saved(cls, bucket: Bucket, at: datetime) -> "ItemStates":
        """Return the states of the newest saved run; empty ones without a recent run.

        Raises:
            StorageError: S3 failed.
        """
        states = cls(bucket)
        keys = [key for day in _days(at - MAX_SAVED_AGE, at) for key in bucket.keys(_folder(day))]
        if not keys:
            return states
        for row in parquet.read(bucket.read(keys[-1])).to_pylist():
            if row["object_key"] is not None:
                states.seen.add(row["object_key"])
                continue
            state = ItemState(row["image"], row["sequence_number"], row["record_index"])
            states.by_key[row["keys_json"]] = state
        if _FINISHED in states.seen:
            states.first_folder = _changes_of((at - LOOKBACK).date())
        states.seen.discard(_FINISHED)
        return states

    @classmethod
    def since(cls, bucket: Bucket, first: date, at: datetime) -> "ItemStates":
        """Return states to which `update` adds every object from a date on.

        They are empty if there is no object before that date, else the saved ones.

        Raises:
            StorageError: S3 failed.
        """
        folders = sorted(bucket.folders(f"{lake_keys.CHANGES}/"))
        states = cls(bucket)
        if folders and folders[0] < _changes_of(first):
            states = cls.saved(bucket, at)
            if states.first_folder:
                states.first_folder = _changes_of(first)
            states.seen = {key for key in states.seen if key < _changes_of(first)}
        return states

    def update(self, has_time: Callable[[], bool]) -> bool:
        """Read the objects that weren't read yet; return False if the time ended before.

        Raises:
            StorageError: S3 failed.
        """
        for folder in self.bucket.folders(f"{lake_keys.CHANGES}/"):
            if folder < self.first_folder:
                continue
            for key in self.bucket.keys(folder):
                if key in self.seen:
                    continue
                if not has_time():
                    return False
                self._add(key)
        return True

    def save(self, run_id: str, at: datetime, *, finished: bool) -> None:
        """Save the states for the next run.

        Raises:
            StorageError: S3 failed.
        """
        # Until every object was read, all of them have to be told from those that were.
        oldest = _changes_of((at - LOOKBACK).date()) if finished else ""
        seen = sorted(key for key in self.seen if key >= oldest)
        seen += [_FINISHED] if finished else []
        rows: list[Mapping[str, Any]] = [
            {
                "keys_json": key,
                "image": state.image,
                "sequence_number": state.sequence,
                "record_index": state.index,
            }
            for key, state in self.by_key.items()
        ]
        rows += [{"object_key": key} for key in seen]
        table = pa.Table.from_pylist(rows, schema=SCHEMA)
        name = f"{_folder(at.date())}{run_id}{lake_keys.SUFFIX}"
        object_writer.create_file(self.bucket, name, parquet.write(table), rows=len(rows))
        telemetry.count("ReconciliationObjectsRead", self.objects_read)
        telemetry.count("ReconciliationBytesRead", self.bytes_read)

    def _add(self, key: str) -> None:
        body = self.bucket.read(key)
        self.objects_read += 1
        self.bytes_read += len(body)
        for row in parquet.read(body, _COLUMNS).to_pylist():
            if row["verdict"] == BAD:
                continue
            state = ItemState(row["new_image_json"], row["sequence_number"], row["record_index"])
            old = self.by_key.get(row["keys_json"])
            if old is None or old.position < state.position:
                self.by_key[row["keys_json"]] = state
        self.seen.add(key)


def _changes_of(day: date) -> str:
    return f"{lake_keys.CHANGES}/date={day}/"


def _folder(day: date) -> str:
    return f"{PREFIX}/date={day}/"


def _days(first: datetime, last: datetime) -> Iterator[date]:
    day = first.astimezone(UTC).date()
    while day <= last.astimezone(UTC).date():
        yield day
        day += timedelta(days=1)
