"""Where the objects of a chain lie, and how they are found again."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Final

from stream_processor.errors import ObjectMetadataError
from stream_processor.ingest.sequence_numbers import SEQUENCE_DIGITS, padded
from stream_processor.storage.lake_types import (
    ExistingObject,
    HighWaterMark,
    ObjectSummary,
    SequencedRecord,
)
from stream_processor.storage.s3 import Bucket

EVENTS: Final = "events"
CHANGES: Final = "changes"
SUFFIX: Final = ".parquet"

#: "There are no guarantees about the time stamp accuracy, or that the time stamp is always
#: increasing" (Kinesis, API_GetRecords). At the turn of an hour a record can lie in the hour before
#: or after that of its neighbours: both are looked at, within this time.
_INACCURACY_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class ShardPrefix:
    """The objects of one shard under one prefix of the lake.

    `<prefix>/date=YYYY-MM-DD/hour=HH/<shard>-<first sequence number>.parquet`, UTC, of the arrival
    of the object's first record: a name must not depend on anything that a retry sees differently.
    """

    prefix: str
    shard: str

    def key(self, first: int, arrived_ms: int) -> str:
        """The name of the object whose first record this is."""
        at = datetime.fromtimestamp(arrived_ms / 1000, UTC)
        return f"{self.hour(at)}{self.shard}-{padded(first)}{SUFFIX}"

    def hour(self, at: datetime) -> str:
        """Where the objects of an hour lie."""
        return f"{self.prefix}/date={at:%Y-%m-%d}/hour={at:%H}/"

    @staticmethod
    def first(key: str) -> int:
        """The first sequence number of the object of that name."""
        return int(key.rpartition("-")[2].removesuffix(SUFFIX))

    def within(self, bucket: Bucket, hour: str, after: int | None = None) -> list[str]:
        """The shard's objects of one hour, oldest first. `hour`: "<prefix>/date=…/hour=…/"."""
        head = f"{hour}{self.shard}-"
        start = "" if after is None else f"{head}{padded(after)}"
        # A shard whose name begins with this one's has longer keys.
        length = len(head) + SEQUENCE_DIGITS + len(SUFFIX)
        return [key for key in bucket.keys(head, start) if len(key) == length]


def summary(bucket: Bucket, key: str, version: str | None = None) -> ExistingObject:
    """What an object of the lake says of itself. ObjectMetadataError where it says nothing."""
    metadata = bucket.metadata(key, version)
    try:
        return ExistingObject(ObjectSummary.parse(metadata), metadata["sha256"])
    except (KeyError, ValueError) as error:
        raise ObjectMetadataError(f"{key} does not say what it holds: {error!r}") from error


def hours(prefix: str, since_ms: int, until_ms: int) -> Iterator[str]:
    """Where the objects of some hours lie: "<prefix>/date=…/hour=…/", the oldest first."""
    hour = _hour(since_ms)
    while hour <= _hour(until_ms):
        yield ShardPrefix(prefix, "").hour(hour)
        hour += timedelta(hours=1)


def recent(bucket: Bucket, names: ShardPrefix, until_ms: int, seconds: int) -> Iterator[str]:
    """The shard's objects of the hours that a window of time touches, newest first.

    The hour before is looked at before an hour is told: its last objects can be the newer ones.
    """
    hour = _hour(until_ms + _INACCURACY_MS)
    oldest = _hour(until_ms - seconds * 1000)
    held: list[str] = []
    while hour >= oldest:
        both = held + names.within(bucket, names.hour(hour))
        both.sort(key=names.first, reverse=True)
        told = 1 + both.index(held[-1]) if held else 0
        yield from both[:told]
        held = both[told:]
        hour -= timedelta(hours=1)
    yield from held


def between(
    bucket: Bucket, names: ShardPrefix, mark: HighWaterMark, first: SequencedRecord
) -> list[str]:
    """The shard's objects behind the mark whose first record comes before `first`, in order."""
    found: list[str] = []
    hour = _hour(mark.arrived_ms - _INACCURACY_MS)
    while hour <= _hour(max(first.arrived_ms, mark.arrived_ms) + _INACCURACY_MS):
        keys = names.within(bucket, names.hour(hour), after=mark.high)
        found += [key for key in keys if mark.high < names.first(key) < first.sequence]
        hour += timedelta(hours=1)
    return sorted(found, key=names.first)


def uncovered[R: SequencedRecord](
    bucket: Bucket, names: ShardPrefix, records: Sequence[R], hours: int
) -> list[R]:
    """The records that no object under these names holds.

    An object holds every record of its shard from its first to its last. It can be named after
    one that arrived up to `hours` before another that it holds.
    """
    if not records:
        return []
    hour = _hour(min(r.arrived_ms for r in records)) - timedelta(hours=hours)
    newest = _hour(max(r.arrived_ms for r in records) + _INACCURACY_MS)
    keys: list[str] = []
    while hour <= newest:
        keys += names.within(bucket, names.hour(hour))
        hour += timedelta(hours=1)
    firsts = sorted((names.first(key), key) for key in keys)
    ends: dict[str, int] = {}
    left: list[R] = []
    for record in records:
        place = bisect_right(firsts, record.sequence, key=itemgetter(0))
        if place:
            key = firsts[place - 1][1]
            if key not in ends:
                ends[key] = summary(bucket, key).summary.last
            if record.sequence <= ends[key]:
                continue
        left.append(record)
    return left


def last_committed(
    bucket: Bucket, names: ShardPrefix, now: datetime, hours: int
) -> HighWaterMark | None:
    """How far the shard is by its objects alone: before its newest; None where it has none.

    The newest is left to be adopted once more: its writer may have died before it was counted.
    Looked for in the hours that the stream can still hold records of, the newest first. The hour
    before the newest is looked at as well: arrival times are approximate.
    """
    newest: list[str] = []
    for day in range(hours // 24 + 2):
        date = now - timedelta(days=day)
        folders = sorted(bucket.folders(f"{names.prefix}/date={date:%Y-%m-%d}/"), reverse=True)
        for folder in folders:
            enough = bool(newest)
            newest += names.within(bucket, folder)[-1:]
            if enough:
                return _before_newest(bucket, names, newest)
    return _before_newest(bucket, names, newest)


def _before_newest(bucket: Bucket, names: ShardPrefix, keys: list[str]) -> HighWaterMark | None:
    if not keys:
        return None
    newest = summary(bucket, max(keys, key=names.first)).summary
    before = newest.first - 1 if newest.previous is None else newest.previous
    return HighWaterMark(before, newest.arrived_ms)


def _hour(at_ms: int) -> datetime:
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return at.replace(minute=0, second=0, microsecond=0)
