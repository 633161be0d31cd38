"""The fields of an event that become columns. `event_json` keeps the whole event.

Field names are those of the Segment spec ("Spec: Common Fields"), which its SDKs send.
"""

import json
import math
from typing import Annotated, Any, Final

import msgspec


class Page(msgspec.Struct, frozen=True, gc=False):
    """`properties` or `context.page`."""

    url: str | None = None
    path: str | None = None
    title: str | None = None
    referrer: str | None = None
    search: str | None = None


class Campaign(msgspec.Struct, frozen=True, gc=False):
    """`context.campaign`: the utm parameters of the page's URL."""

    source: str | None = None
    medium: str | None = None
    name: str | None = None
    term: str | None = None
    content: str | None = None


class Library(msgspec.Struct, frozen=True, gc=False):
    """`context.library`."""

    name: str | None = None


class Context(msgspec.Struct, frozen=True, gc=False):
    """`context` of an event or of its batch."""

    page: Page | None = None
    campaign: Campaign | None = None
    locale: str | None = None
    library: Library | None = None


class Event(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """A client's event. One without a type becomes a bad row."""

    type: Annotated[str, msgspec.Meta(min_length=1)]
    event: str | None = None
    name: str | None = None
    user_id: str | None = None
    anonymous_id: str | None = None
    properties: Page | None = None
    context: Context | None = None


class PlainEvent(Event, frozen=True, gc=False, rename="camel"):
    """An event of another producer, with the fields that the collector adds to its own."""

    message_id: str | None = None
    timestamp: str | None = None
    original_timestamp: str | None = None
    batch: msgspec.Raw | None = None


NO_PAGE: Final = Page()
NO_CAMPAIGN: Final = Campaign()
NO_LIBRARY: Final = Library()
NO_CONTEXT: Final = Context()
#: Placeholder of a bad row.
NO_EVENT: Final = Event(type="")

#: Exceptions of msgspec for arbitrary bytes; deep nesting exhausts the recursion limit.
UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

_events: Final = msgspec.json.Decoder(Event)
_plain: Final = msgspec.json.Decoder(PlainEvent)
_context: Final = msgspec.json.Decoder(Context)


class EventError(ValueError):
    """Raised for an event that becomes a bad row; `code` is its stable reason code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def events(joined: bytes, count: int) -> list[Event] | None:
    """Decode `count` concatenated events; None if any of them needs `event`, the slow path."""
    return _together(_events, joined, count)


def plain(joined: bytes, count: int) -> list[PlainEvent] | None:
    """Decode many plain events; None if any needs `plain_event`, the slow path, or is a batch."""
    decoded = _together(_plain, joined, count)
    if decoded is None or [event.batch for event in decoded].count(None) != count:
        return None
    return decoded


def event(text: bytes) -> Event:
    """Decode one event. Fields of another type than the spec's are converted or left out.

    Raises:
        EventError: The event isn't UTF-8 (`event_utf8`), JSON (`event_json`) or an object
            (`event_object`), or it has no type (`event_type`).
    """
    return _one(_events, text) or Event(**_typed_fields(_loose(text)))


def plain_event(text: bytes) -> PlainEvent:
    """Decode one plain event, as `event` does.

    Raises:
        EventError: The event isn't valid; `code` as in `event`.
    """
    event = _one(_plain, text)
    if event is not None:
        return event
    loose = _loose(text)
    return PlainEvent(
        **_typed_fields(loose),
        message_id=_text(loose.get("messageId")),
        timestamp=_text(loose.get("timestamp")),
        original_timestamp=_text(loose.get("originalTimestamp")),
    )


def _together[E: Event](
    decoder: msgspec.json.Decoder[E], joined: bytes, count: int
) -> list[E] | None:
    """Decode concatenated objects. They need no separator (RFC 8259 section 4)."""
    try:
        # msgspec doesn't validate skipped fields, and the lake stores the whole text as UTF-8.
        if not joined.isascii():
            joined.decode()
        decoded = decoder.decode_lines(joined)
    except UNREADABLE:
        return None
    return decoded if len(decoded) == count else None


def _one[E: Event](decoder: msgspec.json.Decoder[E], text: bytes) -> E | None:
    try:
        text.decode()
    except UnicodeDecodeError as error:
        raise EventError("event_utf8", "the event isn't UTF-8") from error
    try:
        return decoder.decode(text)
    except UNREADABLE:
        return None


def _loose(text: bytes) -> dict[str, Any]:
    try:
        loose = msgspec.json.decode(text)
    except UNREADABLE:
        loose = _with_any_numbers(text)
    if not isinstance(loose, dict):
        raise EventError("event_object", "the event isn't a JSON object")
    if not isinstance(loose.get("type"), str) or not loose["type"]:
        raise EventError("event_type", "the event has no type")
    return loose


def _with_any_numbers(text: bytes) -> Any:
    """Parse JSON with numbers beyond the range of a double, as None: msgspec refuses them.

    Raises:
        EventError: The text isn't JSON (`event_json`).
    """
    try:
        loose = json.loads(
            text.decode(), parse_int=_number, parse_float=_number, parse_constant=_refuse
        )
        # The standard library accepts halves of surrogate pairs, which no column can have.
        json.dumps(loose, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise EventError("event_json", "the event isn't JSON") from error
    return loose


def _number(text: str) -> int | float | None:
    number = float(text)
    if math.isinf(number):
        return None
    return number if set(text) & set(".eE") else int(text)


def _refuse(name: str) -> None:
    raise ValueError(name)


def _typed_fields(loose: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": loose["type"],
        "event": _text(loose.get("event")),
        "name": _text(loose.get("name")),
        "user_id": _text(loose.get("userId")),
        "anonymous_id": _text(loose.get("anonymousId")),
        "properties": _page(loose.get("properties")),
        "context": _loose_context(loose.get("context")),
    }


def context(text: bytes | memoryview) -> Context:
    """Decode the context of a batch; fields of another type than the spec's are left out."""
    try:
        return _context.decode(text)
    except UNREADABLE:
        pass
    try:
        return _loose_context(msgspec.json.decode(text))
    except UNREADABLE:
        return NO_CONTEXT


def _text(value: Any) -> str | None:
    """Return text, or a number as text: clients often send ids as numbers."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return None


def _page(value: Any) -> Page:
    if not isinstance(value, dict):
        return NO_PAGE
    return Page(*(_text(value.get(name)) for name in Page.__struct_fields__))


def _campaign(value: Any) -> Campaign:
    if not isinstance(value, dict):
        return NO_CAMPAIGN
    return Campaign(*(_text(value.get(name)) for name in Campaign.__struct_fields__))


def _loose_context(value: Any) -> Context:
    if not isinstance(value, dict):
        return NO_CONTEXT
    library = value.get("library")
    return Context(
        page=_page(value.get("page")),
        campaign=_campaign(value.get("campaign")),
        locale=_text(value.get("locale")),
        library=Library(_text(library.get("name"))) if isinstance(library, dict) else None,
    )
