"""Wire format between the collector at the edge and the readers of the stream."""

from clickstream.record import (
    MAX_RECORD_BYTES,
    VERSION,
    Accepted,
    Header,
    Lines,
    Record,
    RecordError,
    Rejected,
    Visitor,
    decode,
    encode,
    is_packed,
    partition_key,
    unpack,
)

__all__ = [
    "MAX_RECORD_BYTES",
    "VERSION",
    "Accepted",
    "Header",
    "Lines",
    "Record",
    "RecordError",
    "Rejected",
    "Visitor",
    "decode",
    "encode",
    "is_packed",
    "partition_key",
    "unpack",
]
