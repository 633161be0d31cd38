"""The order of shards after a split or a merge: parents before their children."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ShardInfo:
    """A shard of ListShards or DescribeStream. A `closed` shard receives no more records."""

    shard_id: str
    parents: tuple[str, ...] = ()
    closed: bool = False


def startable_shards(
    listed: Iterable[ShardInfo], started: Collection[str], finished: Collection[str]
) -> list[ShardInfo]:
    """Return the shards that may be read now, in the listed order.

    "After a reshard operation … you should read all the data from the parent shards before you
    read data from the child shards: it ensures that data is read in order by hash key"
    (kinesis-using-sdk-java-after-resharding). A parent that is no longer listed was deleted after
    the retention period, or with its stream, and doesn't block its children.
    """
    shards = list(listed)
    present = {shard.shard_id for shard in shards} | set(started)
    return [
        shard
        for shard in shards
        if shard.shard_id not in started
        and shard.shard_id not in finished
        and all(parent not in present or parent in finished for parent in shard.parents)
    ]


def shards_before_latest(listed: Iterable[ShardInfo]) -> list[str]:
    """Return the IDs of the shards that a mapping at LATEST skips: closed and parent shards."""
    shards = list(listed)
    parents = {parent for shard in shards for parent in shard.parents}
    return [shard.shard_id for shard in shards if shard.closed or shard.shard_id in parents]
