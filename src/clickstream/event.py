"""Validation of one event against the Segment spec. Fields that aren't validated pass unchanged.

The collector validates incoming events with it, and the stream processor validates rejected events
again when an operator reprocesses them.
"""

import re
from datetime import datetime
from typing import Annotated, Any, Final, Literal

import msgspec

from clickstream import times

type EventType = Literal["track", "page", "screen", "identify", "group", "alias"]

TYPES: Final[tuple[EventType, ...]] = ("track", "page", "screen", "identify", "group", "alias")

# Segment spec: a messageId is "less than 100 characters".
MAX_MESSAGE_ID_CHARS: Final = 99
# No SDK nests this deep, and every reader of the lake can parse it.
MAX_DEPTH: Final = 500

# Rivals bound ids, too: a longer one is an error of the sender, and it would be in every row.
MAX_ID_CHARS: Final = 512

type _Id = Annotated[str, msgspec.Meta(max_length=MAX_ID_CHARS)] | int | float | None


class _Object(msgspec.Struct, gc=False):
    """A JSON object whose fields aren't read."""


class Context(msgspec.Struct, gc=False):
    """The fields of an event's or batch's `context` that the collector evaluates."""

    user_agent: Any = msgspec.field(name="userAgent", default=None)
    consent: Any = None
    consent_management: Any = msgspec.field(name="consentManagement", default=None)


class View(msgspec.Struct, rename="camel", gc=False):
    """The fields of an event that are validated. Other fields pass unread."""

    type: str | None = None
    user_id: _Id = None
    anonymous_id: _Id = None
    message_id: str | None = None
    timestamp: Any = None
    original_timestamp: Any = None
    sent_at: Any = None
    event: str | None = None
    name: str | None = None
    group_id: _Id = None
    previous_id: _Id = None
    context: Context | None = None
    channel: Any = None
    properties: _Object | None = None
    traits: _Object | None = None

    @property
    def visitor(self) -> str:
        """The visitor's id: `anonymousId`, or `userId` if it has none."""
        return str(self.anonymous_id or self.user_id or "")

    @property
    def identified(self) -> bool:
        """Whether the event has an id. Zero counts as one; empty text doesn't."""
        return self.user_id not in (None, "") or self.anonymous_id not in (None, "")

    @property
    def agent(self) -> str | None:
        """The user agent in the event's context, which server SDKs send for their visitors."""
        agent = self.context.user_agent if self.context else None
        return agent[:1024] if isinstance(agent, str) and agent else None


# An event's time by the server's clock and by its sender's, as text, and the code of what was wrong
# with the sender's times, or None: `invalid_timestamp` (the event has the time of its receipt) or
# `invalid_sent_at` (its time isn't corrected). A tuple is the fastest to create.
type EventTimes = tuple[str, str | None, str | None]


class InvalidEventError(Exception):
    """Raised for an invalid event; `code` is stable. Other events of its batch are unaffected."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


_view_decoder: Final = msgspec.json.Decoder(View)
# Not compiled at import, to keep cold starts short: only rejected events need them.
_FIELD: Final = r"`\$\.(\w+)"
_CAPITAL: Final = r"(?<=[a-z])(?=[A-Z])"
_NESTING: Final = rb'(?s)"[^"\\]*+(?:\\.?[^"\\]*+)*+"?|[][{}]'
TOO_DEEP: Final = f"the event nests deeper than {MAX_DEPTH} levels"
NOT_JSON: Final = "the event is not JSON in whole characters"

_NEEDED: Final[dict[str, tuple[str, str, str]]] = {
    "track": ("event", "missing_event", "a track event needs an event name"),
    "group": ("group_id", "missing_group_id", "a group event needs a groupId"),
    "alias": ("previous_id", "missing_previous_id", "an alias event needs a previousId"),
}


def read(text: bytes, limit: int) -> View:
    """Parse an event of at most `limit` bytes.

    Raises:
        InvalidEventError: The event is too large, isn't JSON, is nested too deeply, or has a field
            of the wrong type.
    """  # noqa: DOC501 - `_mistyped` returns the error
    if len(text) > limit:
        raise InvalidEventError("event_too_large", f"the event is larger than {limit} bytes")
    try:
        if not text.isascii():
            text.decode()
        view = _view_decoder.decode(text)
    except msgspec.ValidationError as error:
        raise _mistyped(error) from error
    except UnicodeDecodeError as error:
        raise InvalidEventError("invalid_utf8", "the event is not UTF-8") from error
    except RecursionError as error:
        raise InvalidEventError("too_deep", TOO_DEEP) from error
    except msgspec.DecodeError as error:
        raise InvalidEventError("invalid_json", NOT_JSON) from error
    if len(text) > 2 * MAX_DEPTH and too_deep(text):
        raise InvalidEventError("too_deep", TOO_DEEP)
    return view


def too_deep(text: bytes) -> bool:
    """Return whether JSON nests deeper than `MAX_DEPTH`."""
    # Each level needs two brackets: few events are that long, fewer have that many brackets.
    return (
        len(text) > 2 * MAX_DEPTH
        and text.count(b"{") + text.count(b"[") > MAX_DEPTH
        and _depth(text) > MAX_DEPTH
    )


def validate_event(view: View, event_type: EventType | None) -> None:
    """Validate an event against the Segment spec; `event_type` is the type in its path, if any.

    Raises:
        InvalidEventError: A required field is missing or invalid; `code` names it.
    """
    kind = event_type or view.type
    if kind is None:
        raise InvalidEventError("missing_type", "the event has no type")
    if kind not in TYPES:
        raise InvalidEventError("invalid_type", f"the type isn't one of {', '.join(TYPES)}")
    if not (view.anonymous_id or view.user_id or view.identified):
        raise InvalidEventError("no_user_anon_id", "the event has neither userId nor anonymousId")
    needed = _NEEDED.get(kind)
    if needed is not None and getattr(view, needed[0]) in (None, ""):
        raise InvalidEventError(needed[1], needed[2])
    if view.message_id is not None and len(view.message_id) > MAX_MESSAGE_ID_CHARS:
        raise InvalidEventError(
            "message_id_too_long",
            f"the messageId is longer than {MAX_MESSAGE_ID_CHARS} characters",
        )


def event_times(view: View, received_at: datetime, skew: times.Skew) -> EventTimes:
    """Return the event's time by the server's clock, and by its sender's.

    Segment's SDKs send one time, which is corrected by the clock skew of the batch; the
    event's own `sentAt` takes precedence. RudderStack's SDKs send `originalTimestamp`; a
    `timestamp` beside it was given by the caller and is kept (RudderStack, "Common fields").
    A time that can't be parsed or corrected is repaired, not refused: the event matters more.
    """
    of_sdk, of_caller = view.original_timestamp, view.timestamp
    text = of_sdk or of_caller
    if not text:
        # JSON.stringify makes `{}` of some libraries' dates, and 0 of an unset number.
        is_given = of_sdk not in (None, "") or of_caller not in (None, "")
        return times.text(received_at), None, "invalid_timestamp" if is_given else None
    if skew.plausible is None and not view.sent_at and not (of_sdk and of_caller):
        usual = times.moved(text, skew.behind)
        if usual is not None:
            return usual, text, None
    time = times.parse(text)
    if of_sdk and of_caller and (time_given := times.parse(of_caller)):
        return times.text(time_given), None if time is None else times.text(time), None
    if time is None:
        return times.text(received_at), None, "invalid_timestamp"
    if view.sent_at and (sender_clock := times.parse(view.sent_at)):
        skew = times.skew(received_at, sender_clock)
    behind, plausible = skew.behind, skew.plausible
    canonical = times.canonical(time, text)
    if plausible is not None and not plausible[0] <= time <= plausible[1]:
        return times.text(time), canonical, "invalid_sent_at"
    corrected = times.corrected(time, behind)
    if corrected is None:
        return times.text(received_at), canonical, "invalid_timestamp"
    return times.text(corrected), canonical, None


def _mistyped(error: msgspec.ValidationError) -> InvalidEventError:
    # The message names the types and the path to a known field, never a value.
    field = re.search(_FIELD, str(error))
    if field is None:
        return InvalidEventError("invalid_event", "the event is not an object")
    return InvalidEventError(f"invalid_{re.sub(_CAPITAL, '_', field[1]).lower()}", str(error))


def _depth(text: bytes) -> int:
    depth = deepest = 0
    for token in re.finditer(_NESTING, text):
        mark = token.group()
        if mark in b"{[":
            depth += 1
            deepest = max(deepest, depth)
        elif mark in b"]}":
            depth -= 1
    return deepest
