"""The body as bytes of JSON: out of CloudFront's base64, out of gzip, within its bounds."""

import zlib
from typing import Any, Final

import msgspec

from edge_ingest.errors import MalformedError, TooLargeError

_GZIP_MAGIC: Final = b"\x1f\x8b"  # RFC 1952 §2.3.1
_GZIP_WBITS: Final = 31
_BOM: Final = b"\xef\xbb\xbf"


def read(body: dict[str, Any], limit: int) -> bytes:
    """Return the body, at most `limit` bytes of it after inflating.

    What its Content-Type says is not asked: SDKs send JSON as `text/plain` and gzip as a form.
    A byte order mark is taken off (RFC 8259 §8.1 lets a parser ignore one).

    Raises:
        TooLargeError: it is larger, or CloudFront has cut it off.
        MalformedError: it is not base64, or a damaged gzip member.
    """
    # Lambda@Edge, "Accessing the request body": over 1 MB the body is truncated, `inputTruncated`
    # says so, and what is left is of no use.
    if body.get("inputTruncated"):
        raise TooLargeError("body_truncated", "the body is larger than 1 MB")
    data = _bytes(body)
    if data[:2] == _GZIP_MAGIC:
        data = _inflate(data, limit)
    if len(data) > limit:
        raise TooLargeError("body_too_large", f"the body is larger than {limit} bytes")
    return data.removeprefix(_BOM)


def _bytes(body: dict[str, Any]) -> bytes:
    text = body.get("data") or ""
    if body.get("encoding") == "text":
        return str(text).encode("utf-8", "surrogatepass")
    try:
        # CloudFront's base64 is canonical; binascii takes five times as long.
        return msgspec.convert(text, bytes)
    except msgspec.ValidationError as error:
        raise MalformedError("invalid_base64", "the body is not base64") from error


def _inflate(data: bytes, limit: int) -> bytes:
    inflater = zlib.decompressobj(_GZIP_WBITS)
    try:
        inflated = inflater.decompress(data, limit + 1)
    except zlib.error as error:
        raise MalformedError("invalid_gzip", "the body is not valid gzip") from error
    if len(inflated) <= limit and (not inflater.eof or inflater.unused_data):
        raise MalformedError("invalid_gzip", "the body is not one whole gzip member")
    return inflated
