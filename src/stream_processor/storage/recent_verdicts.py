"""The newest verdicts of each source in DynamoDB, in the table of the live counters.

    board     "source:<source>"
    slot      "<shard>": one query returns the verdicts of all shards
    through   number of times that the item was written
    verdicts  list of maps, oldest first; its length is limited, so an item has a few KB
    expires_at

The verdicts of an entry can come a second time: the item holds each verdict once.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from stream_processor.errors import StorageError
from stream_processor.rows import verdicts
from stream_processor.rows.verdicts import Verdict
from stream_processor.storage.dynamodb import Table

#: The API's role may read the partitions with this beginning.
BOARD_PREFIX: Final = "source:"
#: Only writers of one shard meet, at most eleven with a ParallelizationFactor of 10.
_MAX_ATTEMPTS: Final = 20


def add(table: Table, shard: str, by_source: Mapping[str, Sequence[Verdict]], expires: int) -> None:
    """Add an entry's verdicts by source, unless they are in the table.

    `shard` is unique among all streams, and `expires` a Unix time in seconds.

    Raises:
        StorageError: DynamoDB failed, or other writers won every attempt.
    """
    for source, new in by_source.items():
        if new:
            _add(table, {"board": f"{BOARD_PREFIX}{source}", "slot": shard}, new, expires)


def _add(table: Table, names: Mapping[str, str], new: Sequence[Verdict], expires: int) -> None:
    key = {name: {"S": value} for name, value in names.items()}
    for _ in range(_MAX_ATTEMPTS):
        old = table.get(key)
        if old is None:
            condition, values, newest = "attribute_not_exists(slot)", None, verdicts.merged(new)
            writes = 1
        else:
            condition, values = "through = :seen", {":seen": old["through"]}
            before = read(old)
            newest = verdicts.merged(before, new)
            if newest == before:
                return
            writes = int(old["through"]["S"]) + 1
        item = {
            **key,
            "through": {"S": str(writes)},
            "expires_at": {"N": str(expires)},
            "verdicts": {"L": [_written(verdict) for verdict in newest]},
        }
        if table.put_if(item, condition, values):
            return
    raise StorageError(
        f"Can't write the verdicts of {names['board']}: {_MAX_ATTEMPTS} write conflicts. "
        "Lambda retries the batch."
    )


def read(item: Mapping[str, Any]) -> list[Verdict]:
    """Parse the verdicts of an item."""
    return [
        Verdict(
            **{name: one["M"][name]["S"] for name in Verdict._fields[:-1]},
            position=int(one["M"]["position"]["N"]),
        )
        for one in item["verdicts"]["L"]
    ]


def _written(verdict: Verdict) -> dict[str, Any]:
    texts = {name: {"S": value} for name, value in verdict._asdict().items() if name != "position"}
    return {"M": {**texts, "position": {"N": str(verdict.position)}}}
