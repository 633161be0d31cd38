"""Where the objects of a chain lie, and how they are found again."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from stream_processor.chain import SEQUENCE_DIGITS, Draft, Found, Summary, padded
from stream_processor.errors import ObjectMetadataError
from stream_processor.s3 import Bucket

SUFFIX = ".parquet"


@dataclass(frozen=True, slots=True)
class Prefix:
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

    def within(self, bucket: Bucket, hour: str) -> list[str]:
        """The shard's objects of one hour, oldest first. `hour`: "<prefix>/date=…/hour=…/"."""
        head = f"{hour}{self.shard}-"
        # A shard whose name begins with this one's has longer keys.
        length = len(head) + SEQUENCE_DIGITS + len(SUFFIX)
        return [key for key in bucket.keys(head) if len(key) == length]


def summary(bucket: Bucket, key: str) -> Found:
    """What an object of the lake says of itself. ObjectMetadataError where it says nothing."""
    metadata = bucket.metadata(key)
    try:
        return Found(Summary.parse(metadata), metadata["sha256"])
    except (KeyError, ValueError) as error:
        raise ObjectMetadataError(f"{key} does not say what it holds: {error!r}") from error


def create[T](bucket: Bucket, key: str, draft: Draft[T]) -> Found | None:
    """Write a draft where nothing is: None. Where something is, say what."""
    metadata = draft.summary.metadata() | {"sha256": draft.digest}
    return None if bucket.create(key, draft.body, metadata) else summary(bucket, key)


def recent(bucket: Bucket, names: Prefix, until_ms: int, seconds: int) -> Iterator[str]:
    """The shard's objects of the hours that a window of time touches, newest first."""
    hour = datetime.fromtimestamp(until_ms / 1000, UTC)
    oldest = hour - timedelta(seconds=seconds)
    while hour.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1) > oldest:
        yield from reversed(names.within(bucket, names.hour(hour)))
        hour -= timedelta(hours=1)


def last_committed(bucket: Bucket, names: Prefix, now: datetime, hours: int) -> int | None:
    """The end of the shard's newest object, from the lake alone; None where it has none.

    Looked for in the hours that the stream can still hold records of. Arrival times are
    approximate, so an object at the turn of an hour may lie one hour off: two are looked at.
    """
    newest: list[str] = []
    found_in: set[str] = set()
    for day in range(hours // 24 + 2):
        date = now - timedelta(days=day)
        folders = sorted(bucket.folders(f"{names.prefix}/date={date:%Y-%m-%d}/"), reverse=True)
        for folder in folders:
            keys = names.within(bucket, folder)
            if keys:
                newest.append(keys[-1])
                found_in.add(folder)
            if len(found_in) == 2 or (found_in and folder not in found_in):
                return _end(bucket, names, newest)
    return _end(bucket, names, newest)


def _end(bucket: Bucket, names: Prefix, keys: list[str]) -> int | None:
    if not keys:
        return None
    return summary(bucket, max(keys, key=names.first)).summary.last
