"""The newest verdicts of an object's rows, for the page that explains a missing event.

A verdict holds no personal data: neither ids, names, addresses nor properties of the event.
"""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from stream_processor.rows.lake_schema import BAD, DUPLICATE, GOOD

#: How many verdicts of each kind are kept, for each source and shard.
KEPT: Final = {GOOD: 20, BAD: 20, DUPLICATE: 10}
_COLUMNS: Final = (
    "received_at", "verdict", "type", "reason_code", "reason", "request_id", "record_index",
)  # fmt: skip
#: Clients of a plain stream choose the type, and messages are one sentence.
_MAX_CHARS: Final = 200


class Verdict(NamedTuple):
    """What became of one event. Texts are empty if the row has none.

    `received_at` is UTC with milliseconds, 24 characters. `position` is the event's place in its
    record, which holds the request's events in order, the refused ones last.
    """

    received_at: str
    verdict: str
    type: str
    code: str
    reason: str
    request_id: str
    position: int


def newest(table: pa.Table) -> dict[str, list[Verdict]]:
    """Return the newest verdicts of each source in a table with the columns of `EVENTS`."""
    sources = table.column("source").cast(pa.string())
    verdicts = table.column("verdict").cast(pa.string())
    # Rows of an erased person have no verdict to show.
    kinds = [name for name in pc.unique(verdicts).to_pylist() if name in KEPT]
    of_kind = {name: pc.equal(verdicts, name) for name in kinds}
    result: dict[str, list[Verdict]] = {}
    for source in pc.unique(sources).to_pylist():
        if not source:
            continue  # a record of another producer, which has no source
        of_source = pc.equal(sources, source)
        result[source] = sorted(
            verdict
            for name, mask in of_kind.items()
            # The rows are in the order of their arrival.
            for verdict in _read(table, pc.indices_nonzero(pc.and_(of_source, mask))[-KEPT[name] :])
        )
    return result


def merged(*parts: Iterable[Verdict]) -> list[Verdict]:
    """Return the newest verdicts of several lists, each once, in the order of their time."""
    rest = dict(KEPT)
    chosen: list[Verdict] = []
    for verdict in sorted({one for part in parts for one in part}, reverse=True):
        if rest.get(verdict.verdict, 0) > 0:
            rest[verdict.verdict] -= 1
            chosen.append(verdict)
    return chosen[::-1]


def _read(table: pa.Table, positions: pa.Array) -> Iterator[Verdict]:
    if not len(positions):
        return
    # `take` copies a column of several chunks; the newest rows are at its end.
    first = positions[0].as_py()
    offsets = pc.subtract(positions, first)
    columns = [table.column(name).slice(first).take(offsets).to_pylist() for name in _COLUMNS]
    for received, verdict, kind, code, reason, request_id, position in zip(*columns, strict=True):
        yield Verdict(
            f"{received:%Y-%m-%dT%H:%M:%S}.{received.microsecond // 1000:03d}Z",
            verdict,
            (kind or "")[:_MAX_CHARS],
            (code or "")[:_MAX_CHARS],
            (reason or "")[:_MAX_CHARS],
            (request_id or "")[:_MAX_CHARS],
            position,
        )
