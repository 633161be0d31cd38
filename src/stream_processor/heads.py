"""What all events of a record share, as columns: made once per header, and spread over the rows."""

from array import array
from collections.abc import Sequence
from operator import attrgetter
from typing import Final

import pyarrow as pa

import clickstream
from stream_processor import decode
from stream_processor.chain import padded
from stream_processor.chunk import Head, as_array
from stream_processor.times import instants

#: Texts that all events of a record share.
_SHARED: Final = {
    name: attrgetter(name)
    for name in (
        "source",
        "stream_region",
        "edge_region",
        "request_id",
        "country",
        "region",
        "city",
        "time_zone",
        "device",
        "ip",
        "user_agent",
    )
}


def columns(
    heads: Sequence[Head], sequences: Sequence[int], record: pa.Array
) -> dict[str, pa.Array]:
    """The columns, for the heads and sequence numbers of records, and `record` of each row."""
    of_record, distinct = _once(heads)
    of_head, headers = _once([head.header for head in distinct])
    head = of_record.take(record)
    header = of_head.take(head)
    numbers = pa.array(list(map(padded, sequences)), pa.string())
    return {
        "received_at": instants([head.received_at for head in distinct]).take(head),
        "sent_at": instants([head.sent_at for head in distinct]).take(head),
        "sequence_number": _spread(numbers, record),
        **{name: _spread(values, header) for name, values in _facts(headers).items()},
    }


def _facts(headers: Sequence[clickstream.Header]) -> dict[str, pa.Array]:
    # A record of another producer has no request: what the edge would know is not known.
    flags = {
        name: pa.array(
            [getattr(h, name) if h is not decode.NO_HEADER else None for h in headers],
            pa.bool_(),
        )
        for name in ("failover", "bot")
    }
    texts = {
        name: pa.array([of(header) or None for header in headers], pa.string())
        for name, of in _SHARED.items()
    }
    return {**flags, **texts}


def _once[T](values: Sequence[T]) -> tuple[pa.Array, list[T]]:
    """Each object of a list once, and for each place which of them it is."""
    ids = list(map(id, values))
    distinct = dict(zip(ids, values, strict=True))
    places = {key: place for place, key in enumerate(distinct)}
    return as_array(array("i", map(places.__getitem__, ids))), list(distinct.values())


def _spread(values: pa.Array, index: pa.Array) -> pa.Array:
    """What each record says, for each of its rows.

    A text is spread as a number and a list of the texts, which is how Parquet writes it anyway.
    """
    if values.null_count == len(values):
        return pa.nulls(len(index), values.type)
    if values.type != pa.string():
        return values.take(index)
    coded = values.dictionary_encode()
    return pa.DictionaryArray.from_arrays(coded.indices.take(index), coded.dictionary)
