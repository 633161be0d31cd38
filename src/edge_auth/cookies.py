"""edge_auth's cookies: names, parsing, Set-Cookie values, and removal before the origin.

The `__Host-` prefix binds a cookie to this host, to HTTPS and to the path "/" (RFC 6265bis, section
4.1.3.2). A browser deletes a cookie only if these attributes match, so all cookies share one set of
attributes.
"""

import re
from collections.abc import Iterable
from typing import Final

from edge_auth.errors import SessionTooLargeError

PREFIX: Final = "__Host-meridian-"
TOKEN_COOKIE: Final = f"{PREFIX}token"
REFRESH_TOKEN_COOKIE: Final = f"{PREFIX}refresh"
SIGN_IN_COOKIE_PREFIX: Final = f"{PREFIX}login-"
REFRESH_ATTEMPT_COOKIE: Final = f"{PREFIX}refreshed"
SIGN_IN_COUNT_COOKIE: Final = f"{PREFIX}sign-ins"
_NAME: Final = re.compile(rf"{PREFIX}[a-z]+(?:-[\w-]{{1,32}})?")
_ATTRIBUTES: Final = "; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age="

# RFC 6265bis, section 5.5: name and value together have at most 4096 octets.
MAX_CHUNK_BYTES: Final = 3_800
MAX_CHUNKS: Final = 3
_CHUNKED: Final = re.compile(rf"~([2-{MAX_CHUNKS}])~")
# CloudFront limits a generated viewer response to 40 KB; a deleted cookie takes about 100 bytes.
MAX_DELETED_COOKIES: Final = 150


def parse_cookies(header_values: Iterable[str]) -> dict[str, str]:
    """Return name -> value of edge_auth's cookies in all Cookie headers (RFC 6265, section 5.4).

    If a name occurs twice, the first value counts. Other cookies are ignored.
    """
    cookies: dict[str, str] = {}
    for header_value in header_values:
        for pair in header_value.split(";"):
            name, _, value = pair.strip(" \t").partition("=")
            if name.startswith(PREFIX):
                cookies.setdefault(name, value)
    return cookies


def strip_own_cookies(header_value: str) -> str:
    """Return a Cookie header value without edge_auth's cookies; empty if no cookie is left."""
    pairs = (pair.strip(" \t") for pair in header_value.split(";"))
    return "; ".join(pair for pair in pairs if pair and not pair.startswith(PREFIX))


def read_chunked(cookies: dict[str, str], name: str) -> str:
    """Return a value that may be split over several cookies; empty if a part is missing."""
    first = cookies.get(name, "")
    chunked = _CHUNKED.match(first)
    if chunked is None:
        return first
    parts = [first[chunked.end() :]]
    for index in range(2, int(chunked[1]) + 1):
        part = cookies.get(f"{name}.{index}", "")
        if not part:
            return ""
        parts.append(part)
    return "".join(parts)


def set_cookie(
    name: str, value: str, max_age_seconds: int, received: Iterable[str] = ()
) -> list[str]:
    """Return the Set-Cookie values that store `value`, split into chunks if it is long.

    The first chunk contains the number of chunks, so chunks left from a longer value are never
    read. They are deleted if their names are in `received`, the cookie names of the request.

    Raises:
        SessionTooLargeError: The value needs more than MAX_CHUNKS cookies.
    """
    count = max(1, -(-len(value) // MAX_CHUNK_BYTES))
    if count > MAX_CHUNKS:
        raise SessionTooLargeError
    chunks = [
        value[index * MAX_CHUNK_BYTES : (index + 1) * MAX_CHUNK_BYTES] for index in range(count)
    ]
    if count > 1:
        chunks[0] = f"~{count}~{chunks[0]}"
    names = _chunk_names(name)
    set_cookies = [
        f"{each}={chunk}{_ATTRIBUTES}{max_age_seconds}"
        for each, chunk in zip(names, chunks, strict=False)
    ]
    return set_cookies + delete_cookies(each for each in names[count:] if each in received)


def delete_cookies(names: Iterable[str]) -> list[str]:
    """Return the Set-Cookie values that delete these cookies."""
    return [f"{name}={_ATTRIBUTES}0" for name in names]


def delete_session(received: Iterable[str]) -> list[str]:
    """Return the Set-Cookie values that delete the token cookies and their received chunks."""
    names = [*_chunk_names(TOKEN_COOKIE), *_chunk_names(REFRESH_TOKEN_COOKIE)]
    return delete_cookies(name for name in names if name in received or "." not in name)


def delete_all(received: Iterable[str]) -> list[str]:
    """Return the Set-Cookie values that delete every received cookie of edge_auth.

    At most MAX_DELETED_COOKIES beside the session's are deleted, because the response size is
    limited.
    """
    session = delete_session(received)
    session_names = {*_chunk_names(TOKEN_COOKIE), *_chunk_names(REFRESH_TOKEN_COOKIE)}
    others = sorted(set(received) - session_names)
    return session + delete_cookies(name for name in others[:MAX_DELETED_COOKIES] if is_own(name))


def delete_media() -> list[str]:
    """Return the Set-Cookie values that delete CloudFront's signed cookies, which src/media sets.

    A browser sends them with requests for the media only.
    """
    return [
        f"CloudFront-{name}=; Path=/media/; Secure; Max-Age=0"
        for name in ("Policy", "Signature", "Key-Pair-Id", "Hash-Algorithm")
    ]


def is_own(name: str) -> bool:
    """Return True if the whole name has the form of an edge_auth cookie.

    A name from a request goes into a response header only after this check.
    """
    return _NAME.fullmatch(name) is not None


def _chunk_names(name: str) -> list[str]:
    return [name, *(f"{name}.{index}" for index in range(2, MAX_CHUNKS + 1))]
