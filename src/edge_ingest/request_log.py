"""The request log: one line of JSON per logged request.

A line contains no body, address, write key, or visitor id. `collector` writes it last.
"""

import os
from collections.abc import Callable

import msgspec


class LogEntry(msgspec.Struct, frozen=True):
    """The fields of a line: numbers, strings from fixed sets, and ids that AWS assigned.

    `request_id` is CloudFront's. `cold`: the request is the first of its process. `shard` and
    `sequence` are the position of a record in the stream.
    """

    status: int
    code: str
    route: str
    source: str = ""
    accepted: int = 0
    rejected: int = 0
    records: int = 0
    bytes: int = 0
    region: str = ""
    failover: bool = False
    milliseconds: int = 0
    shard: str = ""
    sequence: str = ""
    request_id: str = ""
    cold: bool = False


def is_wanted(entry: LogEntry, sample: float) -> bool:
    """Return whether to log a request.

    Failed requests, rejected events and failovers are always logged, the rest with the probability
    `sample`: CloudWatch Logs costs more than the function, and 1.5 KB per request would be a third
    of the bill.
    """
    return entry.status >= 400 or entry.rejected > 0 or entry.failover or _sampled(sample)


def write(entry: LogEntry, print_line: Callable[[str], object] = print) -> None:
    """Write the entry as a line, without empty and zero fields."""
    fields = {name: value for name, value in msgspec.structs.asdict(entry).items() if value}
    print_line(msgspec.json.encode(fields).decode())


def _sampled(sample: float) -> bool:
    # The random module would slow down the cold start.
    return int.from_bytes(os.urandom(4)) < sample * 2**32
