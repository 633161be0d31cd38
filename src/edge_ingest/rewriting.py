"""An event's text, changed where the edge knows better or a rule says so."""

import json
from collections.abc import Callable
from typing import Any

import msgspec

from clickstream.event import NOT_JSON, TOO_DEEP, EventType, RefusalError, View


def typed(text: bytes, view: View, event_type: EventType) -> bytes:
    """Give an event the type that its path names: it has another one, or none."""
    if view.type is None and b'"type"' not in text and b"\\u" not in text:
        rest = text[text.index(b"{") + 1 :]
        separator = b"" if rest.lstrip()[:1] == b"}" else b","
        return b'{"type":"' + event_type.encode() + b'"' + separator + rest
    return rewrite(text, lambda event: {**event, "type": event_type})


def rewrite(text: bytes, change: Callable[[dict[str, Any]], dict[str, Any]]) -> bytes:
    """Change an event's text; its numbers stay the very text that was sent.

    Raises:
        RefusalError: the text cannot be read that way, so that no rule could be kept.
    """
    try:
        event = json.loads(
            text, parse_float=_number, parse_int=_number, parse_constant=_no_constant
        )
        return msgspec.json.encode(change(event))
    except RecursionError as error:
        raise RefusalError("too_deep", TOO_DEEP) from error
    except ValueError as error:
        raise RefusalError("invalid_json", NOT_JSON) from error


def _number(text: str) -> msgspec.Raw:
    return msgspec.Raw(text.encode())


def _no_constant(name: str) -> None:
    raise ValueError(name)
