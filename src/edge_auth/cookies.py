"""Our cookies: their names, how they are read, set, split, cleared and kept from the origin.

The `__Host-` prefix ties a cookie to this very host, to https and to the path "/" (RFC 6265bis,
section 4.1.3.2), so a cookie is always cleared with the attributes it was set with: there is only
one set of them.
"""

import re
from collections.abc import Iterable

PREFIX = "__Host-meridian-"
TOKEN = f"{PREFIX}token"
REFRESH = f"{PREFIX}refresh"
LOGIN = f"{PREFIX}login-"
REFRESHED = f"{PREFIX}refreshed"
SIGN_INS = f"{PREFIX}sign-ins"
_ATTRIBUTES = "; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age="

# RFC 6265bis, section 5.5: name and value together at most 4096 octets. A chunk stays well below.
CHUNK = 3_800
MAXIMUM_CHUNKS = 3
_CHUNKED = re.compile(r"~([2-9])~")


class TooLargeError(ValueError):
    """Raised when a value does not fit into the chunks of one cookie."""


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


def setting(name: str, text: str, seconds: int) -> list[str]:
    """The Set-Cookie values that keep `text` for so long. Raises TooLargeError.

    A text that fits one cookie stays whole; else the first chunk says how many there are, so that
    chunks left over from a longer text are never read.
    """
    count = -(-len(text) // CHUNK)
    if count > MAXIMUM_CHUNKS:
        raise TooLargeError
    if count <= 1:
        return [f"{name}={text}{_ATTRIBUTES}{seconds}"]
    chunks = [text[index * CHUNK : (index + 1) * CHUNK] for index in range(count)]
    lines = [f"{name}=~{count}~{chunks[0]}{_ATTRIBUTES}{seconds}"]
    lines += [
        f"{name}.{index}={chunk}{_ATTRIBUTES}{seconds}"
        for index, chunk in enumerate(chunks[1:], start=2)
    ]
    return lines


def clearing(names: Iterable[str]) -> list[str]:
    """The Set-Cookie values that end these cookies."""
    return [f"{name}={_ATTRIBUTES}0" for name in names]
