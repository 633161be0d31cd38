"""Make the bytes of a bad row searchable: a gzip record that can't be read is stored as it came."""

import zlib
from typing import Final

import clickstream

_GZIP: Final = 31  # zlib manual, inflateInit2: 15 bits of window, +16 for the gzip wrapper
#: Inflated at once: what comes before a damaged place isn't lost.
_STEP_BYTES: Final = 64


def searchable(raw: bytes) -> bytes:
    """Return gzip members inflated as far as they can be, then the rest; other bytes as they are.

    At most `MAX_INFLATED_BYTES` are inflated, as by the decoder.
    """
    if not clickstream.is_packed(raw):
        return raw
    inflater, rest = zlib.decompressobj(_GZIP), raw
    parts: list[bytes] = []
    size = 0
    while rest and size < clickstream.record.MAX_INFLATED_BYTES:
        try:
            part = inflater.decompress(rest[:_STEP_BYTES])
        except zlib.error:
            break
        parts.append(part)
        size += len(part)
        rest = rest[_STEP_BYTES:]
        if inflater.eof:
            # A file can have several members (RFC 1952 section 2.2).
            rest = inflater.unused_data + rest
            inflater = zlib.decompressobj(_GZIP)
    return b"".join([*parts, rest])
