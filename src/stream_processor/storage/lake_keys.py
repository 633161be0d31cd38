"""Keys of the objects in the lake, and listings by shard and hour.

`<prefix>/date=YYYY-MM-DD/hour=HH/<shard>-<first sequence number>.parquet`
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
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
#: Up to this number of hours is listed without a look at which of them have objects.
_FEW_HOURS: Final = 3
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]")

#: "There are no guarantees about the time stamp accuracy, or that the time stamp is always
#: increasing" (Kinesis, API_GetRecords). Around a full hour a record can belong to the hour before
#: or after its neighbours' hour, so listings read both within this time.
MAX_CLOCK_ERROR_MS: Final = 60_000
#: An object can be named after a record that arrived this long before its others: Lambda discards
#: records that are older than a day.
MAX_OBJECT_SPAN_MS: Final = 25 * 3_600_000


def events_stream(stage: str) -> str:
    """Return the name of the stage's own Kinesis stream."""
    return f"meridian-{stage}-events"


def events_shard(stage: str, stream: str, shard: str) -> str:
    """Return the name of a shard in the keys of `events/`, unique among all streams.

    Every Kinesis stream has a `shardId-000000000000`, and two Kafka clusters can have the same
    topic. So a shard of another stream than the stage's own is named after its stream too.
    """
    if stream == events_stream(stage):
        return shard
    return f"{_UNSAFE.sub('.', stream)}.{shard}"


@dataclass(frozen=True, slots=True)
class ShardPrefix:
    """The keys of one shard under one prefix of the lake.

    Date and hour (UTC) are those of the arrival of the object's first record: a key must not depend
    on anything that differs in a retry.
    """

    prefix: str
    shard: str

    def key(self, first: int, arrived_ms: int) -> str:
        """Return the key of the object that starts with this record."""
        at = datetime.fromtimestamp(arrived_ms / 1000, UTC)
        return f"{self.hour(at)}{self.shard}-{padded(first)}{SUFFIX}"

    def hour(self, at: datetime) -> str:
        """Return the key prefix of an hour: "<prefix>/date=…/hour=…/"."""
        return f"{self.prefix}/date={at:%Y-%m-%d}/hour={at:%H}/"

    @staticmethod
    def first(key: str) -> int:
        """Return the first sequence number of the object with this key."""
        return int(key.rpartition("-")[2].removesuffix(SUFFIX))

    def within(self, bucket: Bucket, hour: str, after: int | None = None) -> list[str]:
        """List the shard's keys of one hour prefix, oldest first.

        Raises:
            StorageError: S3 failed.
        """
        head = f"{hour}{self.shard}-"
        start = "" if after is None else f"{head}{padded(after)}"
        # Keys of another shard whose name starts with this one's are longer.
        length = len(head) + SEQUENCE_DIGITS + len(SUFFIX)
        return [key for key in bucket.keys(head, start) if len(key) == length]


def summary(bucket: Bucket, key: str, version: str | None = None) -> ExistingObject:
    """Read the summary of an object.

    Raises:
        ObjectMetadataError: Its metadata has no valid summary.
        StorageError: S3 failed.
    """
    metadata = bucket.metadata(key, version)
    try:
        return ExistingObject(ObjectSummary.parse(metadata), metadata["sha256"])
    except (KeyError, ValueError) as error:
        raise ObjectMetadataError(
            f"Can't read the summary of {key} from its metadata: {error!r}. "
            "Another program wrote it, or its metadata was changed."
        ) from error


def hours(prefix: str, since_ms: int, until_ms: int) -> Iterator[str]:
    """Yield the key prefixes of the hours between two times (Unix ms), oldest first."""
    hour = _hour(since_ms)
    while hour <= _hour(until_ms):
        yield ShardPrefix(prefix, "").hour(hour)
        hour += timedelta(hours=1)


def recent(bucket: Bucket, keys: ShardPrefix, until_ms: int, seconds: int) -> Iterator[str]:
    """Yield the shard's keys of the hours in a time window, newest first.

    Each hour is merged with the hour before it, whose last objects can be newer.

    Raises:
        StorageError: S3 failed.
    """
    hour = _hour(until_ms + MAX_CLOCK_ERROR_MS)
    oldest = _hour(until_ms - seconds * 1000)
    pending: list[str] = []
    while hour >= oldest:
        both = pending + keys.within(bucket, keys.hour(hour))
        both.sort(key=keys.first, reverse=True)
        ready = 1 + both.index(pending[-1]) if pending else 0
        yield from both[:ready]
        pending = both[ready:]
        hour -= timedelta(hours=1)
    yield from pending


def around(prefix: str, records: Sequence[SequencedRecord], before_ms: int) -> list[str]:
    """Return the key prefixes of the hours in which objects can hold the records, sorted.

    Such an object is named after a record that arrived up to `before_ms` earlier. The hours between
    the records aren't included: the producers of a Kafka topic choose its timestamps.
    """
    spans = {
        (_hour_ms(at - before_ms - MAX_CLOCK_ERROR_MS), _hour_ms(at + MAX_CLOCK_ERROR_MS))
        for at in {record.arrived_ms for record in records}
    }
    return sorted({hour for first, last in spans for hour in hours(prefix, first, last)})


def of_one_object[R: SequencedRecord](records: Sequence[R]) -> Sequence[R]:
    """Return the first records whose arrival times let `around` find them in one object."""
    arrived = [record.arrived_ms for record in records]
    first, last = arrived[0] - MAX_CLOCK_ERROR_MS, arrived[0] + MAX_OBJECT_SPAN_MS
    if first <= min(arrived) and max(arrived) <= last:
        return records
    count = next(number for number, at in enumerate(arrived) if not first <= at <= last)
    return records[:count]


def between(
    bucket: Bucket, keys: ShardPrefix, mark: HighWaterMark, first: SequencedRecord, seconds: int
) -> list[str]:
    """List the shard's keys after the mark that start before `first`, in order.

    Only the hours of the last `seconds`, and at least those in which an object can hold `first`,
    are listed: a shard that was idle for a year costs as many listings as one that was idle for
    days.

    Raises:
        StorageError: S3 failed.
    """
    reach = first.arrived_ms - max(seconds * 1000, MAX_OBJECT_SPAN_MS)
    start, end = reach, first.arrived_ms
    if mark.arrived_ms <= first.arrived_ms + MAX_CLOCK_ERROR_MS:
        start = min(max(reach, mark.arrived_ms), first.arrived_ms)
        end = max(first.arrived_ms, mark.arrived_ms)
    object_keys: list[str] = []
    since, until = start - MAX_CLOCK_ERROR_MS, end + MAX_CLOCK_ERROR_MS
    for hour in _existing_hours(bucket, keys.prefix, since, until):
        hour_keys = keys.within(bucket, hour, after=mark.high)
        object_keys += [key for key in hour_keys if mark.high < keys.first(key) < first.sequence]
    return sorted(object_keys, key=keys.first)


def _existing_hours(bucket: Bucket, prefix: str, since_ms: int, until_ms: int) -> Iterable[str]:
    """Return the key prefixes of the hours between two times, without hours that have no object.

    One listing shows the dates, and one per date its hours. For a few hours it isn't worth it.
    """
    if until_ms - since_ms < _FEW_HOURS * 3_600_000:
        return hours(prefix, since_ms, until_ms)
    first, last = (ShardPrefix(prefix, "").hour(_hour(at)) for at in (since_ms, until_ms))
    dates = [
        date
        for date in bucket.folders(f"{prefix}/")
        if first[: len(date)] <= date <= last[: len(date)]
    ]
    folders = [folder for date in dates for folder in bucket.folders(date)]
    return [folder for folder in folders if first <= folder <= last]


def last_committed(
    bucket: Bucket, keys: ShardPrefix, now: datetime, hours: int
) -> HighWaterMark | None:
    """Return the mark before the shard's newest object, read from the lake; None without objects.

    The protocol adopts the newest object again, because its writer can have crashed before it was
    counted. The search covers the hours that the stream retains, newest first, and one hour before
    the newest object's, because arrival times are approximate. Only its end depends on this
    process's clock: records can have arrived after `now`, by the clock of the stream.

    Raises:
        StorageError: S3 failed.
        ObjectMetadataError: The newest object has no valid summary.
    """
    oldest = f"{keys.prefix}/date={now - timedelta(days=hours // 24 + 2):%Y-%m-%d}/"
    dates = sorted(bucket.folders(f"{keys.prefix}/"), reverse=True)
    newest: list[str] = []
    for date in dates:
        if date < oldest:
            break
        for folder in sorted(bucket.folders(date), reverse=True):
            enough = bool(newest)
            newest += keys.within(bucket, folder)
            if enough and (mark := _before_newest(bucket, keys, newest)) is not None:
                return mark
    return _before_newest(bucket, keys, newest)


def _before_newest(
    bucket: Bucket, keys: ShardPrefix, object_keys: list[str]
) -> HighWaterMark | None:
    for key in sorted(object_keys, key=keys.first, reverse=True):
        newest = summary(bucket, key).summary
        if not newest.late:
            before = newest.first - 1 if newest.previous is None else newest.previous
            return HighWaterMark(before, newest.arrived_ms)
    return None


def _hour_ms(at_ms: int) -> int:
    return at_ms - at_ms % 3_600_000


def _hour(at_ms: int) -> datetime:
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return at.replace(minute=0, second=0, microsecond=0)
