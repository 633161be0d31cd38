"""DynamoDB's units for the live data of one invocation of EventsFunction, from measured items."""

import base64
import itertools
import time
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

#: The length of the requests. It changes neither the counters nor the number of verdicts.
_EVENTS_PER_REQUEST: Final = 100
#: A batching window of one minute covers parts of two minutes of the clock, with an item each.
MINUTES: Final = 2
_WRITE_BYTES: Final = 1024
_READ_BYTES: Final = 4096


class Units(NamedTuple):
    """Write units, and read units of strongly consistent reads."""

    writes: int
    reads: int


class _Client:
    """A client of DynamoDB that keeps the items that are written, and has none before."""

    def __init__(self) -> None:
        self.items: list[Mapping[str, Any]] = []

    def get_item(self, **_: object) -> dict[str, Any]:
        return {}

    def put_item(self, **request: Any) -> dict[str, Any]:
        self.items.append(request["Item"])
        return {}


@cache
def units(events: int) -> Units:
    """Return the units of an invocation with `events` events of one source, from the log.

    It reads and writes the checkpoint (less than 1 KB), the counters of `MINUTES` minutes and the
    newest verdicts.
    """
    from benchmarks import ingest
    from stream_processor.commit import event_objects
    from stream_processor.ingest.records import StreamRecord
    from stream_processor.settings import Settings
    from stream_processor.storage import lake_keys
    from stream_processor.storage.dynamodb import Table
    from stream_processor.storage.live_counters import LiveCounters
    from stream_processor.storage.log_names import LogName

    now = time.time()
    names = ("lake", "failures", "checkpoints", "live", "appointments", "us-east-1", "bench")
    limits = Settings(*names)
    requests = ingest.records(_EVENTS_PER_REQUEST, str)
    records = [
        StreamRecord(number, int(now * 1000), base64.b64encode(data).decode())
        for number, data in enumerate(itertools.islice(requests, events // _EVENTS_PER_REQUEST))
    ]
    stats = event_objects.build(limits, "shard", records, None, frozenset()).stats
    client = _Client()
    table = Table("live", cast("DynamoDBClient", client))
    log = LogName.of(lake_keys.EVENTS, "stage-stream-shardId-000000000000", int(now * 1000))
    LiveCounters(table, log, limits.live_hours, limits.live_pages).count(0, stats, now)
    counters, verdicts = (size_of({"M": it}) for it in client.items)
    sizes = [*[counters] * MINUTES, verdicts]
    writes, reads = (sum(-(-it // unit) for it in sizes) for unit in (_WRITE_BYTES, _READ_BYTES))
    # One more of each for the checkpoint.
    return Units(writes + 1, reads + 1)


def size_of(attribute: Mapping[str, Any]) -> int:
    """Return the bytes of an attribute (DynamoDB, "DynamoDB Item sizes and formats").

    A number has a byte for two digits and one more; a map or list 3 bytes, and one per element.
    """
    ((kind, value),) = attribute.items()
    if kind == "M":
        return 3 + sum(len(name.encode()) + size_of(it) + 1 for name, it in value.items())
    if kind == "L":
        return 3 + sum(size_of(it) + 1 for it in value)
    if kind == "N":
        return (len(value) + 1) // 2 + 1
    return len(value.encode())
