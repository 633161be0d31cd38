"""HTTP headers: the map that events use, and CloudFront's rules for header names.

Functions take lower-case header names unless they say otherwise.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

#: Lower-case name to a list of (name as sent, value), in order of arrival.
type HeaderMap = dict[str, list[tuple[str, str]]]

#: RFC 9110 §5.6.2: token.
TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
#: RFC 9110 §5.5: field values hold visible characters, space, tab and obs-text; never CR, LF, NUL.
_UNSAFE_VALUE: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

# Restrictions on all edge functions, "Disallowed headers": "The following HTTP headers aren't
# exposed to edge functions, and functions can't add them. If your function adds one of these
# headers, it fails CloudFront validation and CloudFront returns HTTP status code 502".
_DISALLOWED: Final = frozenset(
    {
        "connection",
        "expect",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "trailer",
        "upgrade",
        "x-accel-buffering",
        "x-accel-charset",
        "x-accel-limit-rate",
        "x-accel-redirect",
        "x-amzn-auth",
        "x-amzn-cf-billing",
        "x-amzn-cf-id",
        "x-amzn-cf-xff",
        "x-amzn-errortype",
        "x-amzn-fle-profile",
        "x-amzn-header-count",
        "x-amzn-header-order",
        "x-amzn-lambda-integration-tag",
        "x-amzn-requestid",
        "x-cache",
        "x-forwarded-proto",
        "x-real-ip",
    }
)
_DISALLOWED_PREFIXES: Final = ("x-amz-cf-", "x-edge-")

# Restrictions on all edge functions, "Read-only headers": "Your function can read them and use
# them as input to the function logic, but it can't change the values."
READ_ONLY: Final[Mapping[str, frozenset[str]]] = {
    "viewer-request": frozenset({"cdn-loop", "content-length", "host", "transfer-encoding", "via"}),
    "origin-request": frozenset(
        {
            "accept-encoding",
            "cdn-loop",
            "content-length",
            "if-modified-since",
            "if-none-match",
            "if-range",
            "if-unmodified-since",
            "transfer-encoding",
            "via",
        }
    ),
    "origin-response": frozenset({"transfer-encoding", "via"}),
    # "Viewer response: Warning, Via", and for Lambda@Edge Content-Length, Content-Encoding and
    # Transfer-Encoding as well.
    "viewer-response": frozenset(
        {"warning", "via", "content-length", "content-encoding", "transfer-encoding"}
    ),
}

# Add custom headers to origin requests, "Custom headers that CloudFront can't add".
_NEVER_CUSTOM: Final = frozenset(
    {
        "cache-control",
        "connection",
        "content-length",
        "cookie",
        "host",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-range",
        "if-unmodified-since",
        "max-forwards",
        "pragma",
        "proxy-authorization",
        "proxy-connection",
        "range",
        "request-range",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "via",
        "x-real-ip",
    }
)

# Request and response behavior for custom origins, "HTTP request headers and CloudFront
# behavior": removed on the way to the origin.
_NEVER_FORWARDED: Final = frozenset(
    {
        "connection",
        "expect",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x-forwarded-proto",
        "x-http-method-override",
        "x-real-ip",
    }
)

#: RFC 9110 §7.6.1: these apply to one connection, so CloudFront never copies them to the viewer.
HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


def is_disallowed(name: str) -> bool:
    """Return whether CloudFront hides this header from functions and rejects adding it."""
    return name in _DISALLOWED or name.startswith(_DISALLOWED_PREFIXES)


def is_forwardable(name: str) -> bool:
    """Return whether CloudFront may forward this viewer header to an origin."""
    return name not in _NEVER_FORWARDED and not name.startswith(_DISALLOWED_PREFIXES)


def is_custom_allowed(name: str) -> bool:
    """Return whether CloudFront may add this custom header to origin requests."""
    return (
        name not in _NEVER_CUSTOM
        and not name.startswith(("x-amz-", "x-edge-"))
        and not is_disallowed(name)
    )


def decode(raw: bytes) -> str:
    """Decode header bytes as UTF-8, else as ISO-8859-1.

    Restrictions on all edge functions, "URI, query string, and headers encoding": "When values in
    the request are ISO-8859-1 encoded, CloudFront converts the values to UTF-8 encoding before
    forwarding them to your function."
    """
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def is_name(text: str) -> bool:
    """Return whether the text is a valid header name."""
    return TOKEN.fullmatch(text) is not None


def is_value(text: str) -> bool:
    """Return whether the text is a valid header value."""
    return _UNSAFE_VALUE.search(text) is None


def title_case(name: str) -> str:
    """Capitalize each part of a name, as Lambda@Edge does when a function omits `key`.

    Lambda@Edge event structure, "headers": "formatted with initial capitalization for each part,
    separated by hyphens".
    """
    return "-".join(part.capitalize() for part in name.split("-"))


def collect(pairs: Iterable[tuple[str, str]]) -> HeaderMap:
    """Build a header map from (name, value) pairs; names are case-insensitive."""
    by_name: HeaderMap = {}
    for name, value in pairs:
        by_name.setdefault(name.lower(), []).append((name, value))
    return by_name


def flatten(headers: HeaderMap) -> list[tuple[str, str]]:
    """Return every (name as sent, value) pair."""
    return [pair for pairs in headers.values() for pair in pairs]


def first(headers: HeaderMap, name: str, default: str = "") -> str:
    """Return the first value of a header, or `default` if it is absent."""
    pairs = headers.get(name)
    return pairs[0][1] if pairs else default


def joined(headers: HeaderMap, name: str) -> str | None:
    """Return all values joined by commas (RFC 9110 §5.3), or None if the header is absent."""
    pairs = headers.get(name)
    return ", ".join(value for _, value in pairs) if pairs else None


def put(headers: HeaderMap, name: str, value: str) -> None:
    """Set a header to one value. `name` keeps its case."""
    headers[name.lower()] = [(name, value)]


def copy(headers: HeaderMap) -> HeaderMap:
    """Copy a header map and its lists, so that requests never share changes."""
    return {name: list(pairs) for name, pairs in headers.items()}


def hidden(headers: HeaderMap) -> HeaderMap:
    """Return the headers hidden from functions, which CloudFront keeps across an invocation."""
    return {name: pairs for name, pairs in headers.items() if is_disallowed(name)}


def size(headers: HeaderMap) -> int:
    """Return the number of bytes in an HTTP/1.1 message: name, colon, space, value, CR, LF."""
    return sum(
        len(name.encode()) + len(value.encode()) + 4
        for pairs in headers.values()
        for name, value in pairs
    )
