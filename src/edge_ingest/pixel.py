"""Pixel requests: build an event from a GET for emails, pages without JavaScript and RudderStack.

Output: event JSON for `parsing`. The response is a GIF (see `responses`).
"""

import binascii
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from clickstream.event import EventType
from edge_ingest.cloudfront_event import Request
from edge_ingest.errors import BadRequestError

# Parameters that aren't event fields: the write key, and `_` against caches.
_RESERVED_PARAMETERS: Final = {"writeKey", "write_key", "data", "_", "type"}
# A dotted name such as `properties.url` creates nested objects. SDKs use fewer levels.
_MAX_DEPTH: Final = 8


def event_json(request: Request, query: Mapping[str, str], event_type: EventType) -> bytes:
    """Return an event's JSON from `data` (base64, Segment) or dotted parameters (RudderStack).

    A page event without `properties.url` gets the Referer, the page that contains the image.

    Raises:
        BadRequestError: `data` isn't a JSON object in base64.
    """
    document = _decode_data(query["data"]) if query.get("data") else {}
    for name, value in query.items():
        if name not in _RESERVED_PARAMETERS:
            _set_path(document, name.split("."), value)
    if event_type in ("page", "screen"):
        properties = document.setdefault("properties", {})
        referer = request.header("referer")
        if referer and isinstance(properties, dict):
            properties.setdefault("url", referer)
    return msgspec.json.encode({**document, "type": event_type})


def _decode_data(text: str) -> dict[str, Any]:
    # Clients use both alphabets of RFC 4648, and `parse_qsl` decodes an unescaped `+` as a space.
    text = text.replace(" ", "+").replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return msgspec.json.decode(
            binascii.a2b_base64(text + "=" * (-len(text) % 4)), type=dict[str, Any]
        )
    except (ValueError, msgspec.MsgspecError, RecursionError) as error:
        raise BadRequestError("invalid_data", "`data` isn't a JSON object in base64") from error


def _set_path(document: dict[str, Any], path: list[str], value: str) -> None:
    for key in path[: min(len(path), _MAX_DEPTH) - 1]:
        inner = document.setdefault(key, {})
        if not isinstance(inner, dict):
            return
        document = inner
    document[path[-1]] = value
