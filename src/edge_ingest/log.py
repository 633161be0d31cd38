"""One line of JSON for a request: no body, no address, no key, no identifier of a visitor."""

import os
from collections.abc import Callable
from typing import NamedTuple

import msgspec


class Line(NamedTuple):
    """What is logged. Every field is of a closed vocabulary or a number."""

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


def write(line: Line, sample: float, out: Callable[[str], object] = print) -> None:
    """Write the line; of those that say that all went well, only a share of `sample`.

    CloudWatch Logs costs more than the function does: 1.5 KB a request would be a third of the
    bill.
    """
    if line.status < 400 and line.rejected == 0 and not line.failover and not _chosen(sample):
        return
    # What is empty or zero is left out.
    fields = {name: value for name, value in line._asdict().items() if value}
    out(msgspec.json.encode(fields).decode())


def _chosen(sample: float) -> bool:
    return int.from_bytes(os.urandom(4)) < sample * 2**32
