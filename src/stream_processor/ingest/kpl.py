"""Records that the Kinesis Producer Library aggregated: many user records in one stream record.

Layout ("KPL Aggregated Record Format", amazon-kinesis-producer): four magic bytes, an
`AggregatedRecord` of Protocol Buffers, and the MD5 digest of that message. Lambda passes such a
record on as it is.
"""

import hashlib
from collections.abc import Iterator
from typing import Final

_MAGIC: Final = b"\xf3\x89\x9a\xc2"
_DIGEST_BYTES: Final = 16
#: `repeated Record records = 3` of AggregatedRecord, and `required bytes data = 3` of Record.
_RECORDS: Final = 3
_DATA: Final = 3
#: Protocol Buffers, "Encoding": wire types, and the seven payload bits of a varint's byte.
_VARINT: Final = 0
_FIXED64: Final = 1
_DELIMITED: Final = 2
_FIXED32: Final = 5
_MAX_VARINT_BYTES: Final = 10


class AggregateError(ValueError):
    """Raised for a record with the magic bytes whose rest isn't an aggregate."""


def is_aggregate(data: bytes) -> bool:
    """Return whether the record begins as an aggregate does."""
    return data[: len(_MAGIC)] == _MAGIC


def user_records(data: bytes) -> list[bytes]:
    """Return the data of the user records in an aggregate, in order.

    Raises:
        AggregateError: The digest doesn't match, or the message isn't valid.
    """
    message, digest = data[len(_MAGIC) : -_DIGEST_BYTES], data[-_DIGEST_BYTES:]
    # MD5 is part of the format; it protects nothing.
    if hashlib.md5(message, usedforsecurity=False).digest() != digest:
        raise AggregateError("the MD5 digest of the aggregate doesn't match its records")
    try:
        records = [value for field, value in _fields(message) if field == _RECORDS]
        return [value for record in records for field, value in _fields(record) if field == _DATA]
    except (IndexError, ValueError) as error:
        raise AggregateError("the aggregate isn't a valid Protocol Buffers message") from error


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the number and the bytes of each field with a length; skip the other fields.

    Raises:
        IndexError: The message ends in a field.
        ValueError: A field has an unknown wire type, or exceeds the message.
    """
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == _VARINT:
            _, at = _varint(message, at)
        elif kind == _DELIMITED:
            size, at = _varint(message, at)
            if at + size > len(message):
                raise ValueError("a field exceeds the message")
            yield tag >> 3, message[at : at + size]
            at += size
        elif kind in (_FIXED64, _FIXED32):
            at += 8 if kind == _FIXED64 else 4
        else:
            raise ValueError("unknown wire type")


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = 0
    for position in range(_MAX_VARINT_BYTES):
        byte = message[at + position]
        value |= (byte & 0x7F) << (7 * position)
        if byte < 0x80:
            return value, at + position + 1
    raise ValueError("a number has too many bytes")
