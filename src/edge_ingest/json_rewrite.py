"""Changes to an event's JSON text that keep the client's numbers digit by digit."""

import json
from collections.abc import Callable
from typing import Any

import msgspec

from clickstream.event import NOT_JSON, TOO_DEEP, EventType, InvalidEventError, View


def set_type(text: bytes, view: View, event_type: EventType) -> bytes:
    """Return the event with `type` set to the type in the request path.

    Raises:
        InvalidEventError: The text can't be parsed.
    """
    # Most such events have no type: inserting it is cheaper than parsing the event.
    if view.type is None and b'"type"' not in text and b"\\u" not in text:
        rest = text[text.index(b"{") + 1 :]
        separator = b"" if rest.lstrip()[:1] == b"}" else b","
        return b'{"type":"' + event_type.encode() + b'"' + separator + rest
    return rewrite(text, lambda event: {**event, "type": event_type})


def rewrite(text: bytes, change: Callable[[dict[str, Any]], dict[str, Any]]) -> bytes:
    """Return the JSON of `change(parsed text)`. Numbers keep their original digits.

    Raises:
        InvalidEventError: The text can't be parsed, so `change` can't be applied.
    """
    try:
        event = json.loads(
            text, parse_float=_raw_number, parse_int=_raw_number, parse_constant=_reject_constant
        )
        return msgspec.json.encode(change(event))
    except RecursionError as error:
        raise InvalidEventError("too_deep", TOO_DEEP) from error
    except ValueError as error:
        raise InvalidEventError("invalid_json", NOT_JSON) from error


def _raw_number(text: str) -> msgspec.Raw:
    return msgspec.Raw(text.encode())


def _reject_constant(name: str) -> None:
    raise ValueError(name)
