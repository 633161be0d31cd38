"""What of an event becomes a column. The rest stays whole in `event_json`.

The names are those of the Segment spec ("Spec: Common Fields"), which its SDKs send.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Final

import msgspec


class Page(msgspec.Struct, frozen=True, gc=False):
    """Of `properties` or `context.page`."""

    url: str | None = None
    path: str | None = None
    title: str | None = None
    referrer: str | None = None
    search: str | None = None


class Campaign(msgspec.Struct, frozen=True, gc=False):
    """Of `context.campaign`: the utm parameters of the address."""

    source: str | None = None
    medium: str | None = None
    name: str | None = None
    term: str | None = None
    content: str | None = None


class Library(msgspec.Struct, frozen=True, gc=False):
    """Of `context.library`."""

    name: str | None = None


class Context(msgspec.Struct, frozen=True, gc=False):
    """Of an event, or of its whole batch."""

    page: Page | None = None
    campaign: Campaign | None = None
    locale: str | None = None
    library: Library | None = None


class Event(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """The client's event. A type that is missing makes a bad row."""

    type: Annotated[str, msgspec.Meta(min_length=1)]
    event: str | None = None
    name: str | None = None
    user_id: str | None = None
    anonymous_id: str | None = None
    properties: Page | None = None
    context: Context | None = None


NO_PAGE: Final = Page()
NO_CAMPAIGN: Final = Campaign()
NO_LIBRARY: Final = Library()
NO_CONTEXT: Final = Context()
#: Stands in the place of a row that holds no event.
NO_EVENT: Final = Event(type="")

#: What msgspec raises for bytes of any kind; it recurses as deep as the bytes say.
UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

_events: Final = msgspec.json.Decoder(Event)
_context: Final = msgspec.json.Decoder(Context)


class EventError(ValueError):
    """An event that becomes a bad row; `code` is stable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def events(texts: Sequence[bytes | memoryview]) -> list[Event] | None:
    """Decode many events at once. None where any of them needs `event`."""
    text = b"\n".join(texts)
    try:
        # msgspec does not look into what it skips, and the lake keeps the whole text as UTF-8.
        if not text.isascii():
            text.decode()
        decoded = _events.decode_lines(text)
    except UNREADABLE:
        return None
    return decoded if len(decoded) == len(texts) else None


def event(text: bytes | memoryview) -> Event:
    """Decode one event, taking what is of another type than the spec says as far as it goes.

    Raises:
        EventError: `event_utf8` where it is no text, `event_json` where it is no JSON,
            `event_object` where it is no object, `event_type` where it does not say what it is.
    """
    try:
        bytes(text).decode()
    except UnicodeDecodeError as error:
        raise EventError("event_utf8", "the event is not UTF-8") from error
    try:
        return _events.decode(text)
    except UNREADABLE:
        pass
    try:
        loose = msgspec.json.decode(text)
    except UNREADABLE as error:
        raise EventError("event_json", "the event is no JSON") from error
    if not isinstance(loose, dict):
        raise EventError("event_object", "the event is no JSON object")
    kind = loose.get("type")
    if not isinstance(kind, str) or not kind:
        raise EventError("event_type", "the event has no type")
    return Event(
        type=kind,
        event=_text(loose.get("event")),
        name=_text(loose.get("name")),
        user_id=_text(loose.get("userId")),
        anonymous_id=_text(loose.get("anonymousId")),
        properties=_page(loose.get("properties")),
        context=_loose_context(loose.get("context")),
    )


def context(text: bytes | memoryview) -> Context:
    """Decode a batch's own context; what is of another type than the spec says is left out."""
    try:
        return _context.decode(text)
    except UNREADABLE:
        pass
    try:
        return _loose_context(msgspec.json.decode(text))
    except UNREADABLE:
        return NO_CONTEXT


def _text(value: Any) -> str | None:
    """An id is often sent as a number: 42 and "42" are the same visitor."""
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
