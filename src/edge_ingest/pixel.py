"""An event out of a GET: for mail, for pages without scripts, for RudderStack's pixel."""

import binascii
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from clickstream.event import EventType
from edge_ingest.errors import MalformedError
from edge_ingest.viewer import Request

# Not of the event: the key, and what pages add against caches.
_NOT_OF_THE_EVENT: Final = {"writeKey", "write_key", "data", "_", "type"}
# A dotted name makes nested objects; nothing legitimate is deeper.
_DEPTH: Final = 8


def event(request: Request, query: Mapping[str, str], event_type: EventType) -> bytes:
    """Return the event's JSON: `data` in base64 (Segment), or parameters such as `properties.url`.

    A page that does not name itself is the one that the image stands on, the Referer.

    Raises:
        MalformedError: `data` is not an object in base64.
    """
    document = _data(query["data"]) if query.get("data") else {}
    for name, value in query.items():
        if name not in _NOT_OF_THE_EVENT:
            _set(document, name.split("."), value)
    if event_type in ("page", "screen"):
        properties = document.setdefault("properties", {})
        referer = request.header("referer")
        if referer and isinstance(properties, dict):
            properties.setdefault("url", referer)
    return msgspec.json.encode({**document, "type": event_type})


def query_of(text: str) -> dict[str, str]:
    """Read a query string; of a name that comes twice the first value counts."""
    if not text:
        return {}
    from urllib.parse import parse_qsl  # most requests have no query: 3 ms of a cold start

    found: dict[str, str] = {}
    # 8,192 bytes of URL are CloudFront's limit, so the number of fields is bounded too.
    for name, value in parse_qsl(text, keep_blank_values=True, errors="replace"):
        found.setdefault(name, value)
    return found


def _data(text: str) -> dict[str, Any]:
    # A plus sign in a query is a space to a parser; both alphabets of RFC 4648 are in use.
    text = text.replace(" ", "+").replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return msgspec.json.decode(
            binascii.a2b_base64(text + "=" * (-len(text) % 4)), type=dict[str, Any]
        )
    except (ValueError, msgspec.MsgspecError, RecursionError) as error:
        raise MalformedError("invalid_data", "`data` is not a JSON object in base64") from error


def _set(document: dict[str, Any], path: list[str], value: str) -> None:
    for key in path[: min(len(path), _DEPTH) - 1]:
        inner = document.setdefault(key, {})
        if not isinstance(inner, dict):
            return
        document = inner
    document[path[-1]] = value
