"""Whose request is it? The write key, wherever an SDK puts it."""

import binascii
from collections.abc import Iterator, Mapping

from edge_ingest.errors import UnauthorizedError
from edge_ingest.settings import Source
from edge_ingest.viewer import Request


def outside(request: Request, query: Mapping[str, str]) -> Iterator[str]:
    """Yield the keys that the request brings outside its body."""
    basic = _basic(request.header("authorization") or "")
    if basic:
        yield basic
    for name in ("writeKey", "write_key"):
        if query.get(name):
            yield query[name]
    header = request.header("x-write-key")
    if header:
        yield header.partition(":")[0]


def find(sources: Mapping[str, Source], keys: Iterator[str]) -> tuple[Source | None, bool]:
    """Return the source of the first key that is known, and whether there was any key."""
    given = False
    for key in keys:
        given = True
        if key in sources:
            return sources[key], True
    return None, given


def refusal(*, given: bool) -> UnauthorizedError:
    """Return the error for no known key: without one, or with one that is not known."""
    if given:
        return UnauthorizedError("invalid_write_key", "the write key is not known")
    return UnauthorizedError("missing_write_key", "there is no write key")


def _basic(value: str) -> str | None:
    """Read the user name of Basic credentials (RFC 7617); some clients leave the colon out."""
    scheme, _, text = value.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        decoded = binascii.a2b_base64(text.strip()).decode()
    except ValueError:
        return None
    return decoded.partition(":")[0] or None
