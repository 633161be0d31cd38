"""Is this an event? What an event must be, and what the edge works out for it."""

import hashlib
import json
import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec

from clickstream import Accepted, Rejected
from edge_ingest import times
from edge_ingest.routes import TYPES, EventType
from edge_ingest.settings import Limits

# Segment spec: a messageId is "less than 100 characters".
MESSAGE_ID_LENGTH: Final = 99
# No SDK nests this deep, and every reader of the lake can follow it.
DEPTH: Final = 500

type _Id = str | int | float | None


class _Object(msgspec.Struct, gc=False):
    """A JSON object, of which nothing is read."""


class _Context(msgspec.Struct, gc=False):
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
    context: _Context | None = None
    properties: _Object | None = None
    traits: _Object | None = None

    @property
    def visitor(self) -> str:
        """Who the event is of: `anonymousId`, or `userId` where there is none."""
        return str(self.anonymous_id or self.user_id or "")


class RefusalError(Exception):
    """Why one event is refused. Its neighbours are not concerned."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Screen(NamedTuple):
    """What the source's privacy rules make of an event's text, and of a refused event's text.

    `consents` raises `RefusalError` where consent is missing. None: there is no such rule.
    """

    consents: Callable[[View], None] | None
    event: Callable[[bytes], bytes] | None
    refused: Callable[[bytes], str]


class Checked(NamedTuple):
    """A request's events, told apart: accepted + rejected is what was sent."""

    accepted: list[Accepted]
    rejected: list[Rejected]
    visitor: str
    user_agent: str | None


_view_decoder: Final = msgspec.json.Decoder(View)
_FIELD: Final = re.compile(r"`\$\.(\w+)")
_CAPITAL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_NESTING: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[][{}]', re.DOTALL)

_NEEDED: Final[dict[str, tuple[str, str, str]]] = {
    "track": ("event", "missing_event", "a track event needs the name of its event"),
    "group": ("group_id", "missing_group_id", "a group event needs a groupId"),
    "alias": ("previous_id", "missing_previous_id", "an alias event needs a previousId"),
}


def check(
    texts: Iterable[bytes],
    *,
    event_type: EventType | None,
    write_key: str,
    received_at: datetime,
    sent_at: datetime | None,
    limits: Limits,
    screen: Screen,
    nonce: str = "",
    visitor_id: str | None = None,
) -> Checked:
    """Judge each event by itself, in order. `event_type` is the type that the path names, if any.

    `nonce` tells requests apart whose events have no time of their own and are never sent again.
    `visitor_id` is the anonymousId of events that bring no id at all, where the edge knows one.
    """
    accepted: list[Accepted] = []
    rejected: list[Rejected] = []
    derived = _Derived(write_key, nonce)
    visitor = ""
    agent: str | None = None
    for i, text in enumerate(texts):
        try:
            view = _read(text, limits.event_bytes)
            if visitor_id and not _identified(view):
                text = rewrite(text, lambda event: {**event, "anonymousId": visitor_id})  # noqa: PLW2901 - it is that event from here on
                view.anonymous_id = visitor_id
            _judge(view, event_type)
            if screen.consents:
                screen.consents(view)
            original = _original(view)
            own_sent_at = times.parse(view.sent_at) if view.sent_at else None
            timestamp = _timestamp(received_at, own_sent_at or sent_at, original)
            stored = text
            if event_type is not None and view.type != event_type:
                stored = _typed(text, view, event_type)
            if screen.event:
                stored = screen.event(stored)
            message_id = view.message_id or derived.of(text)
        except RefusalError as refusal:
            raw = "" if refusal.code == "consent_denied" else screen.refused(text)
            rejected.append(
                Rejected(
                    i=i, code=refusal.code, message=str(refusal), raw=raw[: limits.event_bytes]
                )
            )
            continue
        if not accepted:
            visitor = view.visitor
            agent = _agent(view)
        accepted.append(
            Accepted(
                i=i,
                message_id=message_id,
                message_id_source="client" if view.message_id else "derived",
                timestamp=times.text(timestamp),
                original_timestamp=None if original is None else _original_text(view, original),
                event=msgspec.Raw(stored),
            )
        )
    return Checked(accepted, rejected, visitor, agent)


def _read(text: bytes, limit: int) -> View:
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
        raise RefusalError("too_deep", f"the event nests deeper than {DEPTH} levels") from error
    except msgspec.DecodeError as error:
        raise RefusalError("invalid_json", "the event is not JSON in whole characters") from error
    # A level takes two brackets: few events are long enough, and fewer have as many brackets.
    if (
        len(text) > 2 * DEPTH
        and text.count(b"{") + text.count(b"[") > DEPTH
        and _depth(text) > DEPTH
    ):
        raise RefusalError("too_deep", f"the event nests deeper than {DEPTH} levels")
    return view


def _judge(view: View, event_type: EventType | None) -> None:
    kind = event_type or view.type
    if kind is None:
        raise RefusalError("missing_type", "the event has no type")
    if kind not in TYPES:
        raise RefusalError("invalid_type", f"the type is none of {', '.join(TYPES)}")
    if not _identified(view):
        raise RefusalError("no_user_anon_id", "the event has neither userId nor anonymousId")
    needed = _NEEDED.get(kind)
    if needed is not None and getattr(view, needed[0]) in (None, ""):
        raise RefusalError(needed[1], needed[2])
    if view.message_id is not None and len(view.message_id) > MESSAGE_ID_LENGTH:
        raise RefusalError(
            "message_id_too_long", f"the messageId is longer than {MESSAGE_ID_LENGTH} characters"
        )


def _identified(view: View) -> bool:
    # Zero is an id; an empty text is none.
    return view.user_id not in (None, "") or view.anonymous_id not in (None, "")


def _original(view: View) -> datetime | None:
    """Return the event's own time: `originalTimestamp`, or `timestamp`, which is then the original.

    Segment's SDKs send only `timestamp`, RudderStack's only `originalTimestamp`.
    """
    text = view.original_timestamp or view.timestamp
    if not text:
        return None
    time = times.parse(text)
    if time is None:
        raise RefusalError("invalid_timestamp", "the time is not ISO 8601")
    return time


def _original_text(view: View, original: datetime) -> str:
    return times.canonical(original, view.original_timestamp or view.timestamp or "")


def _timestamp(
    received_at: datetime, sent_at: datetime | None, original: datetime | None
) -> datetime:
    time = times.corrected(received_at, sent_at, original)
    if time is None:
        raise RefusalError("invalid_timestamp", "the corrected time is past the calendar")
    return time


def _mistyped(error: msgspec.ValidationError) -> RefusalError:
    # The message names the types and the path to a known field, never a value.
    field = _FIELD.search(str(error))
    if field is None:
        return RefusalError("invalid_event", "the event is not an object")
    return RefusalError(f"invalid_{_CAPITAL.sub('_', field[1]).lower()}", str(error))


def _depth(text: bytes) -> int:
    depth = deepest = 0
    for token in _NESTING.finditer(text):
        mark = token.group()
        if mark in b"{[":
            depth += 1
            deepest = max(deepest, depth)
        elif mark in b"]}":
            depth -= 1
    return deepest


def _typed(text: bytes, view: View, event_type: EventType) -> bytes:
    """Give the event the type that its path names: it has another one, or none."""
    if view.type is None and b'"type"' not in text and b"\\u" not in text:
        rest = text[text.index(b"{") + 1 :]
        separator = b"" if rest.lstrip()[:1] == b"}" else b","
        return b'{"type":"' + event_type.encode() + b'"' + separator + rest
    return rewrite(text, lambda event: {**event, "type": event_type})


def _agent(view: View) -> str | None:
    agent = view.context.user_agent if view.context else None
    return agent[:1024] if isinstance(agent, str) and agent else None


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
        raise RefusalError("too_deep", f"the event nests deeper than {DEPTH} levels") from error
    except ValueError as error:
        raise RefusalError("invalid_json", "the event is not JSON in whole characters") from error


def _number(text: str) -> msgspec.Raw:
    return msgspec.Raw(text.encode())


def _no_constant(name: str) -> None:
    raise ValueError(name)


class _Derived:
    """Message ids for events without one: the same event sent again has the same.

    Two equal events in one request are two events: the second is counted. `sentAt` differs each
    time that an SDK sends an event, so it takes no part.
    """

    def __init__(self, write_key: str, nonce: str) -> None:
        self._prefix = f"{write_key}\0{nonce}\0"
        self._seen: dict[str, int] = {}

    def of(self, text: bytes) -> str:
        event = json.loads(text, parse_float=str, parse_int=str)
        event.pop("sentAt", None)
        event.pop("messageId", None)
        canonical = json.dumps(event, sort_keys=True, separators=(",", ":"))
        count = self._seen[canonical] = self._seen.get(canonical, 0) + 1
        digest = hashlib.sha256(f"{self._prefix}{count}\0{canonical}".encode())
        return f"derived-{digest.hexdigest()[:32]}"
