"""Which events the lake has as good rows already: the deduplication of what comes in late.

A door looks back over its shard's recent objects (`window`). A redrive comes when later objects are
written, and from any shard: it looks to both sides, over all shards, and only for the ids that it
holds itself.
"""

from collections.abc import Collection, Iterable, Iterator
from itertools import compress

from stream_processor.rows.lake_schema import GOOD
from stream_processor.rows.object_stats import MessageKey, message_key
from stream_processor.storage import lake_keys, parquet
from stream_processor.storage.s3 import Bucket

_COLUMNS = ("verdict", "source", "message_id")


def good_ids_around(
    bucket: Bucket, first_ms: int, last_ms: int, seconds: int, among: Collection[MessageKey]
) -> set[MessageKey]:
    """Those of some ids that are good rows of any object `seconds` around some arrivals."""
    wanted = frozenset(among)
    if not wanted:
        return set()
    hours = lake_keys.hours(lake_keys.EVENTS, first_ms - seconds * 1000, last_ms + seconds * 1000)
    return {
        key for name in _names(bucket, hours) for key in good_ids_in(bucket, name) if key in wanted
    }


def good_ids_in(bucket: Bucket, name: str) -> Iterator[MessageKey]:
    """The ids of the good rows of one object."""
    table = parquet.read(bucket.read(name), _COLUMNS)
    verdicts, sources, ids = (table.column(column).to_pylist() for column in _COLUMNS)
    good = [verdict == GOOD for verdict in verdicts]
    for source, message_id in compress(zip(sources, ids, strict=True), good):
        yield message_key(source or "", message_id)


def _names(bucket: Bucket, hours: Iterable[str]) -> Iterator[str]:
    for hour in hours:
        yield from (key for key in bucket.keys(hour) if key.endswith(lake_keys.SUFFIX))
