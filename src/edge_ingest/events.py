"""A request's events, told apart: each is judged by itself, in order."""

import hashlib
import json
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import NamedTuple

import msgspec

from clickstream import Accepted, Rejected, times
from clickstream.event import EventType, RefusalError, View, clocked, judge, read
from edge_ingest.rewriting import rewrite, typed
from edge_ingest.settings import Limits


class Screen(NamedTuple):
    """What the source's privacy rules make of an event's text, and of a refused event's text.

    `consents` raises `RefusalError` where consent is missing; `refused` keeps so many characters
    at most. None: there is no such rule.
    """

    consents: Callable[[View], None] | None
    event: Callable[[bytes], bytes] | None
    refused: Callable[[bytes, int], str]


class Given(NamedTuple):
    """What the request says for all of its events.

    `event_type` is the type that the path names, if any. `nonce` tells requests apart whose
    events have no time of their own and are never sent again. `visitor_id` is the anonymousId of
    events that bring no id at all, where the edge knows one.
    """

    write_key: str
    received_at: datetime
    sent_at: datetime | None = None
    event_type: EventType | None = None
    nonce: str = ""
    visitor_id: str | None = None


class Checked(NamedTuple):
    """Accepted + rejected is what was sent. `visitor` and `agent` are the first accepted one's."""

    accepted: list[Accepted]
    rejected: list[Rejected]
    visitor: str
    agent: str | None


def check(texts: Iterable[bytes], given: Given, limits: Limits, screen: Screen) -> Checked:
    """Judge each event; say of each what the edge knows better, or why it is refused."""
    accepted: list[Accepted] = []
    rejected: list[Rejected] = []
    derived = _Derived(given.write_key, given.nonce)
    first: View | None = None
    behind = times.skew(given.received_at, given.sent_at)
    # A batch has up to 2,500 events: what is the same for all is looked up once.
    _, received_at, _, event_type, _, visitor_id = given
    consents, change, _ = screen
    for i, text in enumerate(texts):
        allowed = not consents
        try:
            view = read(text, limits.event_bytes)
            if consents:
                consents(view)
                allowed = True
            stored = text
            if visitor_id and not view.identified:
                stored = _identify(text, view, visitor_id)
            judge(view, event_type)
            timestamp, original = clocked(view, received_at, behind)
            if event_type is not None and view.type != event_type:
                stored = typed(stored, view, event_type)
            if change:
                stored = change(stored)
            message_id = view.message_id or derived.of(text)
        except RefusalError as refusal:
            # Whose consent is missing, or cannot be read, is not stored, not even as a bad row.
            raw = screen.refused(text, limits.event_bytes) if allowed else ""
            rejected.append(Rejected(i=i, code=refusal.code, message=str(refusal), raw=raw))
            continue
        first = first or view
        accepted.append(
            Accepted(
                i=i,
                message_id=message_id,
                message_id_source="client" if view.message_id else "derived",
                timestamp=timestamp,
                original_timestamp=original,
                event=msgspec.Raw(stored),
            )
        )
    return Checked(
        accepted, rejected, first.visitor if first else "", first.agent if first else None
    )


def _identify(text: bytes, view: View, visitor_id: str) -> bytes:
    view.anonymous_id = visitor_id
    return rewrite(text, lambda event: {**event, "anonymousId": visitor_id})


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
