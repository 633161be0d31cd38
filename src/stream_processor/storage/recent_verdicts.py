"""The newest verdicts of each source in DynamoDB, in the table of the live counters.

    board     "source:<source>"
    slot      "<stream>#<shard>": one query returns the verdicts of all shards
    through   last sequence number of the newest object whose verdicts the item holds
    verdicts  list of maps, oldest first; its length is limited, so an item has a few KB
    expires_at

As for the live counters, the watermark rejects an object that comes a second time.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from stream_processor.errors import StorageError
from stream_processor.ingest.sequence_numbers import padded
from stream_processor.rows import verdicts
from stream_processor.rows.verdicts import Verdict
from stream_processor.storage.dynamodb import Table

#: The API's role may read the partitions with this beginning.
BOARD_PREFIX: Final = "source:"
#: At most two invocations of a shard overlap, so one of these attempts succeeds.
_MAX_ATTEMPTS: Final = 10


def add(
    table: Table, name: str, last: int, by_source: Mapping[str, Sequence[Verdict]], expires: int
) -> None:
    """Add an object's verdicts by source, unless they are in the table.

    `name` is "<stream>#<shard>", `last` the object's last sequence number, and `expires` a Unix
    time in seconds.

    Raises:
        StorageError: DynamoDB failed, or other writers won every attempt.
    """
    for source, new in by_source.items():
        if new:
            _add(table, {"board": f"{BOARD_PREFIX}{source}", "slot": name}, last, new, expires)


def _add(
    table: Table, names: Mapping[str, str], last: int, new: Sequence[Verdict], expires: int
) -> None:
    key = {name: {"S": value} for name, value in names.items()}
    for _ in range(_MAX_ATTEMPTS):
        old = table.get(key)
        if old is None:
            condition, values, newest = "attribute_not_exists(slot)", None, verdicts.merged(new)
        elif old["through"]["S"] >= padded(last):
            return
        else:
            condition, values = "through = :seen", {":seen": old["through"]}
            newest = verdicts.merged(read(old), new)
        item = {
            **key,
            "through": {"S": padded(last)},
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
