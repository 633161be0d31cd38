"""Find the events that are good rows in the lake already, to deduplicate late records.

A handler looks back over its shard's recent objects (`DedupWindow`). A redrive runs after later
objects exist, and the copy can be in any shard: it reads all shards before and after the arrival,
and only looks for the ids that it has itself.
"""

from collections.abc import Collection, Iterable, Iterator
from itertools import compress
from typing import Final

from stream_processor.rows.lake_schema import GOOD
from stream_processor.rows.object_stats import MessageKey, message_key
from stream_processor.storage import lake_keys, parquet
from stream_processor.storage.s3 import Bucket

_COLUMNS: Final = ("verdict", "source", "message_id")


def good_ids_around(
    bucket: Bucket, first_ms: int, last_ms: int, seconds: int, among: Collection[MessageKey]
) -> set[MessageKey]:
    """Return the ids of `among` that are good rows within `seconds` of the arrivals (Unix ms).

    Raises:
        StorageError: S3 failed.
    """
    candidates = frozenset(among)
    if not candidates:
        return set()
    hours = lake_keys.hours(lake_keys.EVENTS, first_ms - seconds * 1000, last_ms + seconds * 1000)
    return {
        key
        for name in _keys(bucket, hours)
        for key in good_ids_in(bucket, name)
        if key in candidates
    }


def good_ids_in(bucket: Bucket, key: str) -> Iterator[MessageKey]:
    """Yield the ids of the good rows of one object.

    Raises:
        StorageError: S3 failed.
    """
    table = parquet.read(bucket.read(key), _COLUMNS)
    verdicts, sources, ids = (table.column(column).to_pylist() for column in _COLUMNS)
    good = [verdict == GOOD for verdict in verdicts]
    for source, message_id in compress(zip(sources, ids, strict=True), good):
        yield message_key(source or "", message_id)


def _keys(bucket: Bucket, hours: Iterable[str]) -> Iterator[str]:
    for hour in hours:
        yield from (key for key in bucket.keys(hour) if key.endswith(lake_keys.SUFFIX))
