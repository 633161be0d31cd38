"""Folders of the lake, shards in keys, and the keys of versions before the numbered logs.

`<prefix>/date=YYYY-MM-DD/hour=HH/<shard>-<first sequence number>.parquet`; `log_names` has the keys
of today.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from stream_processor.errors import ObjectMetadataError
from stream_processor.ingest.sequence_numbers import SEQUENCE_DIGITS
from stream_processor.storage.lake_types import (
    ExistingObject,
    ObjectSummary,
    SequencedRecord,
)
from stream_processor.storage.s3 import Bucket

EVENTS: Final = "events"
CHANGES: Final = "changes"
SUFFIX: Final = ".parquet"
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]")

#: "There are no guarantees about the time stamp accuracy, or that the time stamp is always
#: increasing" (Kinesis, API_GetRecords). Around a full hour a record can belong to the hour before
#: or after its neighbours' hour, so listings read both within this time.
MAX_CLOCK_ERROR_MS: Final = 60_000
#: An object can be named after a record that arrived this long before its others: Lambda discards
#: records that are older than a day.
MAX_OBJECT_SPAN_MS: Final = 25 * 3_600_000


def database(stage: str) -> str:
    """Return the name of the stage's database in the Glue Data Catalog."""
    return f"meridian_{stage}"


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
    """The keys of one shard under one prefix of the lake, before the numbered logs.

    Date and hour (UTC) are those of the arrival of the object's first record.
    """

    prefix: str
    shard: str

    def hour(self, at: datetime) -> str:
        """Return the key prefix of an hour: "<prefix>/date=…/hour=…/"."""
        return f"{self.prefix}/date={at:%Y-%m-%d}/hour={at:%H}/"

    @staticmethod
    def first(key: str) -> int:
        """Return the first sequence number of the object with this key."""
        return int(key.rpartition("-")[2].removesuffix(SUFFIX))

    def within(self, bucket: Bucket, hour: str) -> list[str]:
        """List the shard's keys of one hour prefix, oldest first.

        Raises:
            StorageError: S3 failed.
        """
        head = f"{hour}{self.shard}-"
        # Keys of another shard whose name starts with this one's are longer, and those of a log's
        # entries are shorter.
        length = len(head) + SEQUENCE_DIGITS + len(SUFFIX)
        return [key for key in bucket.keys(head) if len(key) == length]


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


def _hour_ms(at_ms: int) -> int:
    return at_ms - at_ms % 3_600_000


def _hour(at_ms: int) -> datetime:
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return at.replace(minute=0, second=0, microsecond=0)
