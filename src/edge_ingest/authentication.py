"""Authentication by write key: find the source that a request belongs to.

SDKs send the key as Basic credentials, in the query string, in a header or in the payload.
"""

import binascii
from collections.abc import Callable, Iterable, Iterator, Mapping

from edge_ingest.cloudfront_event import Request
from edge_ingest.errors import UnauthorizedError
from edge_ingest.settings import Source


def authenticate(find: Callable[[str], Source | None], keys: Iterable[object]) -> Source:
    """Return the source of the first known write key. `find` returns the source of a key.

    `keys` may contain any JSON values, because the payload's key is client input.

    Raises:
        ServiceUnavailableError: `find` doesn't know all sources now.
        UnauthorizedError: `missing_write_key` or `invalid_write_key`. RudderStack's mobile SDKs
            stop only if the response contains "invalid write key".
    """
    found_key = False
    for key in keys:
        found_key = True
        if isinstance(key, str) and (source := find(key)) is not None:
            return source
    if found_key:
        raise UnauthorizedError("invalid_write_key", "invalid write key: no source has it")
    raise UnauthorizedError("missing_write_key", "the request has no write key")


def write_keys(
    request: Request, query: Mapping[str, str], payload_key: object = None
) -> Iterator[object]:
    """Yield the request's write keys in order of precedence; the payload's key is last."""
    basic = _basic_username(request.header("authorization") or "")
    if basic:
        yield basic
    for name in ("writeKey", "write_key"):
        if query.get(name):
            yield query[name]
    header = request.header("x-write-key")
    if header:
        yield header.partition(":")[0]
    if payload_key:
        yield payload_key


def _basic_username(value: str) -> str | None:
    """Return the user name of Basic credentials (RFC 7617). Some clients omit the colon."""
    scheme, _, credentials = value.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        decoded = binascii.a2b_base64(credentials.strip()).decode()
    except ValueError:
        return None
    return decoded.partition(":")[0] or None
