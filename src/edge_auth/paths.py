"""One reading of a request's path: decoded once, without dot segments, empty segments, parameters.

Rules are matched on this reading, and this reading is what the origin is sent, so that nobody
behind us can see another path than the one that was judged (RFC 3986, sections 3.3 and 6.2.2).
"""

from edge_auth.errors import PathError

OWN_PATHS = "/auth/"
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
# What RFC 3986, section 3.3, lets stand in a path segment, without ";".
_PATH = _UNRESERVED | frozenset(b"!$&'()*+,=:@/")
_HEX = frozenset("0123456789abcdefABCDEF")


def percent_decode(text: str) -> str:
    """The text with its %XX read once, as UTF-8. Raises PathError for what is no such text."""
    if "%" not in text:
        return text
    first, *rest = text.split("%")
    data = bytearray(first, "utf-8")
    for part in rest:
        if len(part) < 2 or not _HEX.issuperset(part[:2]):
            raise PathError
        data.append(int(part[:2], 16))
        data += part[2:].encode()
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise PathError from error


def percent_encode(path: str) -> str:
    """The path as it may stand in a request line."""
    return "".join(chr(byte) if byte in _PATH else f"%{byte:02X}" for byte in path.encode("utf-8"))


def _ambiguous(text: str) -> bool:
    """A backslash is a slash to some, control characters vanish for some, and a percent sign that
    survives decoding is decoded again by some."""
    return "\\" in text or not text.isprintable() or _encoded(text)


def _encoded(text: str) -> bool:
    return any(len(rest) > 1 and _HEX.issuperset(rest[:2]) for rest in text.split("%")[1:])


def canonical(uri: str) -> str:
    """The path that the rules judge. Raises PathError where there is no single reading.

    `/a/%2e%2e/b`, `//b`, `/./b` and `/b;x=1` are all `/b`.
    """
    try:
        path = percent_decode(uri)
    except UnicodeEncodeError as error:  # a lone surrogate
        raise PathError from error
    if not path.startswith("/") or _ambiguous(path):
        raise PathError
    if "//" not in path and "/." not in path and ";" not in path:
        return path
    kept: list[str] = []
    segments = [segment.partition(";")[0] for segment in path.split("/")[1:]]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment not in ("", "."):
            kept.append(segment)
    ends_open = segments[-1] in ("", ".", "..")
    return "/" + "/".join(kept) + ("/" if kept and ends_open else "")


def spelled(uri: str, path: str) -> str:
    """The canonical path as it goes on: in the visitor's own spelling if that says the same."""
    legal = uri.isascii() and " " not in uri
    return uri if legal and percent_decode(uri) == path else percent_encode(path)


# A return address travels in the state of a sign-in, and a URL has at most 8,192 bytes at
# CloudFront ("Quotas"); sealed and encoded it grows by two fifths.
MAXIMUM_TARGET = 2_048


def quoted(text: str) -> str:
    """The text percent-encoded but for unreserved characters (RFC 3986, section 2.3)."""
    return "".join(
        chr(byte) if byte in _UNRESERVED else f"%{byte:02X}"
        for byte in text.encode("utf-8", "replace")
    )


def query_encode(query: str) -> str:
    """A query string with nothing in it that may not stand in a Location header."""
    return "".join(
        character if "!" <= character <= "~" else quoted(character) for character in query
    )


def target(address: str, query: str) -> str:
    """Where a visitor is brought back to: the exact path and query if they fit, else less."""
    whole = f"{address}?{query_encode(query)}" if query else address
    return next(
        (text for text in (whole, address) if len(text) <= MAXIMUM_TARGET and is_local(text)), "/"
    )


def is_local(text: str) -> bool:
    """True for a path of this site, with or without a query, that every browser reads as one and
    that is none of our own: no host, no backslash, nothing that is stripped or folded."""
    if not text.startswith("/") or text.startswith("//") or len(text) > MAXIMUM_TARGET:
        return False
    if any(not "!" <= character <= "~" or character in "\\#" for character in text):
        return False
    try:
        path = canonical(text.partition("?")[0])
    except PathError:
        return False
    return not f"{path}/".startswith(OWN_PATHS)
