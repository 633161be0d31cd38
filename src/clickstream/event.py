"""One event: what it must be, and what is read of it. The rest passes as it was sent.

The collector judges by this what it accepts; the reader of the stream, whether an event that was
refused would be accepted by now.
"""

import re
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import msgspec

from clickstream import times

type EventType = Literal["track", "page", "screen", "identify", "group", "alias"]

TYPES: Final[tuple[EventType, ...]] = ("track", "page", "screen", "identify", "group", "alias")

# Segment spec: a messageId is "less than 100 characters".
MESSAGE_ID_LENGTH: Final = 99
# No SDK nests this deep, and every reader of the lake can follow it.
DEPTH: Final = 500

type _Id = str | int | float | None


class _Object(msgspec.Struct, gc=False):
    """A JSON object, of which nothing is read."""


class Context(msgspec.Struct, gc=False):
    """Of an event's context, or a batch's, what decides: who is told of, and what they allow."""

    user_agent: Any = msgspec.field(name="userAgent", default=None)
    consent: Any = None
    consent_management: Any = msgspec.field(name="consentManagement", default=None)


class View(msgspec.Struct, rename="camel", gc=False):
    """Those of an event's fields that decide about it. Others pass unread, known or not."""

    type: str | None = None
    user_id: _Id = None
    anonymous_id: _Id = None
    message_id: str | None = None
    timestamp: str | None = None
    original_timestamp: str | None = None
    sent_at: Any = None
    event: str | None = None
    name: str | None = None
    group_id: _Id = None
    previous_id: _Id = None
    context: Context | None = None
    properties: _Object | None = None
    traits: _Object | None = None

    @property
    def visitor(self) -> str:
        """Who the event is of: `anonymousId`, or `userId` where there is none."""
        return str(self.anonymous_id or self.user_id or "")

    @property
    def identified(self) -> bool:
        """Whether the event says whose it is. Zero is an id; an empty text is none."""
        return self.user_id not in (None, "") or self.anonymous_id not in (None, "")

    @property
    def agent(self) -> str | None:
        """The user agent that the event itself tells, as server SDKs do of their visitors."""
        agent = self.context.user_agent if self.context else None
        return agent[:1024] if isinstance(agent, str) and agent else None


class RefusalError(Exception):
    """Why one event is refused, with a stable `code`. Its neighbours are not concerned."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


_view_decoder: Final = msgspec.json.Decoder(View)
# Expressions stay text until a refusal needs them: a cold start compiles none.
_FIELD: Final = r"`\$\.(\w+)"
_CAPITAL: Final = r"(?<=[a-z])(?=[A-Z])"
_NESTING: Final = rb'(?s)"[^"\\]*+(?:\\.?[^"\\]*+)*+"?|[][{}]'
TOO_DEEP: Final = f"the event nests deeper than {DEPTH} levels"
NOT_JSON: Final = "the event is not JSON in whole characters"

_NEEDED: Final[dict[str, tuple[str, str, str]]] = {
    "track": ("event", "missing_event", "a track event needs the name of its event"),
    "group": ("group_id", "missing_group_id", "a group event needs a groupId"),
    "alias": ("previous_id", "missing_previous_id", "an alias event needs a previousId"),
}


def read(text: bytes, limit: int) -> View:
    """Read an event of at most `limit` bytes.

    Raises:
        RefusalError: it is too large, no JSON, nested too deep, or a field has a wrong type.
    """
    if len(text) > limit:
        raise RefusalError("event_too_large", f"the event is larger than {limit} bytes")
    try:
        if not text.isascii():
            text.decode()
        view = _view_decoder.decode(text)
    except msgspec.ValidationError as error:
        raise _mistyped(error) from error
    except UnicodeDecodeError as error:
        raise RefusalError("invalid_utf8", "the event is not UTF-8") from error
    except RecursionError as error:
        raise RefusalError("too_deep", TOO_DEEP) from error
    except msgspec.DecodeError as error:
        raise RefusalError("invalid_json", NOT_JSON) from error
    if too_deep(text):
        raise RefusalError("too_deep", TOO_DEEP)
    return view


def too_deep(text: bytes) -> bool:
    """Tell whether JSON nests deeper than `DEPTH`."""
    # A level takes two brackets: few events are long enough, and fewer have as many brackets.
    return (
        len(text) > 2 * DEPTH
        and text.count(b"{") + text.count(b"[") > DEPTH
        and _depth(text) > DEPTH
    )


def judge(view: View, event_type: EventType | None) -> None:
    """Check an event against the Segment spec; `event_type` is the type that its path names.

    Raises:
        RefusalError: naming what is missing.
    """
    kind = event_type or view.type
    if kind is None:
        raise RefusalError("missing_type", "the event has no type")
    if kind not in TYPES:
        raise RefusalError("invalid_type", f"the type is none of {', '.join(TYPES)}")
    if not (view.anonymous_id or view.user_id or view.identified):
        raise RefusalError("no_user_anon_id", "the event has neither userId nor anonymousId")
    needed = _NEEDED.get(kind)
    if needed is not None and getattr(view, needed[0]) in (None, ""):
        raise RefusalError(needed[1], needed[2])
    if view.message_id is not None and len(view.message_id) > MESSAGE_ID_LENGTH:
        raise RefusalError(
            "message_id_too_long", f"the messageId is longer than {MESSAGE_ID_LENGTH} characters"
        )


def clocked(view: View, received_at: datetime, behind: timedelta) -> tuple[str, str | None]:
    """Return the event's time by the server's clock, and its own as it told it, both as text.

    Its own time is `originalTimestamp`, or `timestamp`, which is then the original: Segment's SDKs
    send only the one, RudderStack's only the other. `behind` is by how much the batch's clock is
    behind; an event's own `sentAt` counts more.

    Raises:
        RefusalError: a time is not ISO 8601, or past the calendar.
    """
    sent = view.original_timestamp or view.timestamp
    if not sent:
        return times.text(received_at), None
    original = times.parse(sent)
    if original is None:
        raise RefusalError("invalid_timestamp", "the time is not ISO 8601")
    if view.sent_at and (own := times.parse(view.sent_at)):
        behind = times.skew(received_at, own)
    time = times.corrected(original, behind)
    if time is None:
        raise RefusalError("invalid_timestamp", "the corrected time is past the calendar")
    return times.text(time), times.canonical(original, sent)


def _mistyped(error: msgspec.ValidationError) -> RefusalError:
    # The message names the types and the path to a known field, never a value.
    field = re.search(_FIELD, str(error))
    if field is None:
        return RefusalError("invalid_event", "the event is not an object")
    return RefusalError(f"invalid_{re.sub(_CAPITAL, '_', field[1]).lower()}", str(error))


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
