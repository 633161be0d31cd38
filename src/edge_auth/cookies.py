"""Our cookies: their names, how they are read, set, split, cleared and kept from the origin.

The `__Host-` prefix ties a cookie to this very host, to https and to the path "/" (RFC 6265bis,
section 4.1.3.2), so a cookie is always cleared with the attributes it was set with: there is only
one set of them.
"""

import re
from collections.abc import Iterable

from edge_auth.errors import SessionTooLargeError

PREFIX = "__Host-meridian-"
TOKEN = f"{PREFIX}token"
REFRESH = f"{PREFIX}refresh"
LOGIN = f"{PREFIX}login-"
REFRESHED = f"{PREFIX}refreshed"
SIGN_INS = f"{PREFIX}sign-ins"
_NAME = re.compile(rf"{PREFIX}[a-z]+(?:-[\w-]{{1,32}})?")
_ATTRIBUTES = "; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age="

# RFC 6265bis, section 5.5: name and value together at most 4096 octets. A chunk stays well below.
CHUNK = 3_800
MAXIMUM_CHUNKS = 3
_CHUNKED = re.compile(rf"~([2-{MAXIMUM_CHUNKS}])~")
# A response has at most 40 KB at viewer-request, and an ended cookie takes about 100 bytes of it.
MAXIMUM_CLEARED = 150


def read(lines: Iterable[str]) -> dict[str, str]:
    """name -> value of all Cookie header lines (RFC 6265, section 5.4). Of two with one name the
    first counts. Only cookies of ours are looked at."""
    found: dict[str, str] = {}
    for line in lines:
        for pair in line.split(";"):
            name, _, value = pair.strip(" \t").partition("=")
            if name.startswith(PREFIX):
                found.setdefault(name, value)
    return found


def without_ours(line: str) -> str:
    """One Cookie header line as the origin may see it; empty when nothing is left."""
    pairs = (pair.strip(" \t") for pair in line.split(";"))
    return "; ".join(pair for pair in pairs if pair and not pair.startswith(PREFIX))


def value(cookies: dict[str, str], name: str) -> str:
    """The value of a cookie that may be chunked; empty when it, or a chunk of it, is missing."""
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


def setting(name: str, text: str, seconds: int, present: Iterable[str] = ()) -> list[str]:
    """The Set-Cookie values that keep `text` for so long, in as many chunks as it takes.

    The first chunk says how many there are, so that what is left over from a longer text is never
    read; where it is `present` in the request, it is cleared as well. Raises SessionTooLargeError.
    """
    count = max(1, -(-len(text) // CHUNK))
    if count > MAXIMUM_CHUNKS:
        raise SessionTooLargeError
    chunks = [text[index * CHUNK : (index + 1) * CHUNK] for index in range(count)]
    if count > 1:
        chunks[0] = f"~{count}~{chunks[0]}"
    names = _chunk_names(name)
    kept = [
        f"{each}={chunk}{_ATTRIBUTES}{seconds}" for each, chunk in zip(names, chunks, strict=False)
    ]
    return kept + clearing(each for each in names[count:] if each in present)


def clearing(names: Iterable[str]) -> list[str]:
    """The Set-Cookie values that end these cookies."""
    return [f"{name}={_ATTRIBUTES}0" for name in names]


def clearing_session(present: Iterable[str]) -> list[str]:
    """The Set-Cookie values that end the session's own cookies, every chunk that there may be."""
    names = [*_chunk_names(TOKEN), *_chunk_names(REFRESH)]
    return clearing(name for name in names if name in present or "." not in name)


def clearing_all(present: Iterable[str]) -> list[str]:
    """The Set-Cookie values that end all of ours that came, as far as one answer goes."""
    session = clearing_session(present)
    others = sorted(set(present) - {*_chunk_names(TOKEN), *_chunk_names(REFRESH)})
    return session + clearing(name for name in others[:MAXIMUM_CLEARED] if is_ours(name))


def is_ours(name: str) -> bool:
    """True for a name that may go back into a header: ours in form, not only in how it begins."""
    return _NAME.fullmatch(name) is not None


def _chunk_names(name: str) -> list[str]:
    return [name, *(f"{name}.{index}" for index in range(2, MAXIMUM_CHUNKS + 1))]
