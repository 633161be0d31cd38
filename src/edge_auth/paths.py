"""Decode and encode request paths, and validate the URLs to return to after sign-in.

A path is decoded once, without dot segments and empty segments (RFC 3986, sections 3.3 and 6.2.2).
Path rules match the decoded path, and the origin receives the same path, so that no server behind
CloudFront can interpret the request as another path than the one that was authorized.
"""

from typing import Final

from edge_auth.errors import PathError

AUTH_PATH_PREFIX: Final = "/auth/"
_UNRESERVED: Final = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
)
# The bytes that RFC 3986, section 3.3, allows in a path.
_PATH: Final = _UNRESERVED | frozenset(b"!$&'()*+,;=:@/")
_HEX: Final = frozenset("0123456789abcdefABCDEF")


def percent_decode(text: str) -> str:
    """Decode %XX sequences once, as UTF-8.

    Raises:
        PathError: A sequence is invalid, or the decoded bytes aren't UTF-8.
    """
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
    """Encode every byte that RFC 3986 doesn't allow in a path."""
    return "".join(chr(byte) if byte in _PATH else f"%{byte:02X}" for byte in path.encode("utf-8"))


def _is_ambiguous(text: str) -> bool:
    """Return True if servers could interpret the decoded path differently.

    Some servers treat a backslash as a slash, drop control characters, or decode a remaining
    percent sequence a second time.
    """
    # isprintable is fast, and False for every control character, but also for other characters.
    has_control = not text.isprintable() and any(map(_is_control, text))
    return has_control or "\\" in text or _has_escape(text)


def _is_control(character: str) -> bool:
    """Return True for C0, DEL and C1 (Unicode category Cc), and for lone surrogates.

    Other invisible characters, such as the joiners of Persian, Malayalam and emoji, are parts of
    names.
    """
    return character < " " or "\x7f" <= character <= "\x9f" or "\ud800" <= character <= "\udfff"


def _has_escape(text: str) -> bool:
    return any(len(rest) > 1 and _HEX.issuperset(rest[:2]) for rest in text.split("%")[1:])


def decode_path(uri: str) -> str:
    """Return the decoded, normalized path that path rules match.

    `/a/%2e%2e/b`, `//b` and `/./b` all return `/b`.

    Raises:
        PathError: Servers could decode the path differently.
    """
    try:
        path = percent_decode(uri)
    except UnicodeEncodeError as error:  # a lone surrogate
        raise PathError from error
    if not path.startswith("/") or _is_ambiguous(path):
        raise PathError
    return _normalize(path.split("/")[1:]) if "//" in path or "/." in path else path


def without_parameters(path: str) -> str:
    """Return a decoded path without path parameters, as some servers interpret it.

    `/b;x=1` is a file name for S3, and `/b` for servers that support parameters (RFC 3986, section
    3.3).
    """
    return _normalize([segment.partition(";")[0] for segment in path.split("/")[1:]])


def _normalize(segments: list[str]) -> str:
    normalized: list[str] = []
    for segment in segments:
        if segment == "..":
            del normalized[-1:]
        elif segment not in ("", "."):
            normalized.append(segment)
    is_directory = segments[-1] in ("", ".", "..")
    return "/" + "/".join(normalized) + ("/" if normalized and is_directory else "")


def encode_path(uri: str, path: str) -> str:
    """Encode a decoded path for the origin.

    The viewer's original `uri` is kept if it decodes to the same path.

    Raises:
        PathError: `uri` has an invalid percent sequence.
    """
    is_legal = uri.isascii() and " " not in uri
    return uri if is_legal and percent_decode(uri) == path else percent_encode(path)


# The OAuth `state` parameter contains this URL, 40% longer once sealed and encoded. CloudFront
# allows 8,192 bytes in a URL ("Quotas").
MAX_RETURN_URL_CHARS: Final = 2_048


def quote(text: str) -> str:
    """Percent-encode everything except unreserved characters (RFC 3986, section 2.3)."""
    return "".join(
        chr(byte) if byte in _UNRESERVED else f"%{byte:02X}"
        for byte in text.encode("utf-8", "replace")
    )


def encode_query(query: str) -> str:
    """Percent-encode the characters of a query string that a Location header can't contain."""
    return "".join(
        character if "!" <= character <= "~" else quote(character) for character in query
    )


def page_url(path: str, query: str) -> str:
    """Return the site-relative URL of an encoded path and a viewer's query string."""
    return f"{path}?{encode_query(query)}" if query else path


def return_url(path: str, query: str) -> str:
    """Return the site-relative URL to come back to after sign-in.

    The URL has path and query if they fit into MAX_RETURN_URL_CHARS, otherwise the path, otherwise
    "/".
    """
    return next((text for text in (page_url(path, query), path) if is_local_url(text)), "/")


def is_local_url(url: str) -> bool:
    """Return True for a path of this site, with or without a query, outside /auth/.

    The URL has no host, no backslash and no character that a browser strips or replaces, so every
    browser resolves it to this site.
    """
    if not url.startswith("/") or url.startswith("//") or len(url) > MAX_RETURN_URL_CHARS:
        return False
    if any(not "!" <= character <= "~" or character in "\\#" for character in url):
        return False
    try:
        path = decode_path(url.partition("?")[0])
    except PathError:
        return False
    readings = (path, without_parameters(path))
    return not any(f"{reading}/".startswith(AUTH_PATH_PREFIX) for reading in readings)
