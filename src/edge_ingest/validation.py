"""Validation: check each event against the Segment spec and the source's consent rule.

Input: a payload's events. Output: `Validated`, the accepted events and the rejections. The rules
for one event are in `clickstream.event`, which the stream processor shares.
"""

import json
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec

from clickstream import Accepted, times
from clickstream.digest import sha256
from clickstream.event import EventType, InvalidEventError, View, event_times, read, validate_event
from edge_ingest.errors import SUPPRESSED, SUPPRESSED_MESSAGE, ContentTooLargeError
from edge_ingest.json_rewrite import rewrite, set_type
from edge_ingest.parsing import Payload
from edge_ingest.settings import Limits

if TYPE_CHECKING:
    from edge_ingest.plan_settings import Plan
    from edge_ingest.suppression import Suppressed

# Fields that must be objects -> the code of an error in them.
_OBJECTS: Final = {name: f"invalid_{name}" for name in ("context", "properties", "traits")}


class RequestContext(msgspec.Struct, frozen=True):
    """Values of the request that apply to each of its events.

    `event_type` is the type in the path, if any. `request_id` makes derived message ids unique if
    nothing shows whether an event is sent again. `salt` keys them. `visitor_id` is the
    `anonymousId` for events that have no user or anonymous id. `plan` is the source's.
    """

    write_key: str
    received_at: datetime
    request_id: str
    sent_at: datetime | None = None
    event_type: EventType | None = None
    salt: str = ""
    visitor_id: str | None = None
    plan: "Plan | None" = None


class StorageRules(msgspec.Struct, frozen=True):
    """Rules that decide whether anything of an event may be stored. None: no such rule.

    `consent` raises InvalidEventError if the visitor's consent is missing.
    """

    consent: Callable[[View], None] | None
    suppressed: "Suppressed | None"

    @classmethod
    def of(
        cls, consent: Callable[[View], None] | None, suppressed: "Suppressed | None"
    ) -> "StorageRules | None":
        """Return the rules, or None without any."""
        return cls(consent, suppressed) if consent or suppressed else None

    def check(self, view: View, text: bytes) -> None:
        """Check an event and its text.

        Raises:
            InvalidEventError: Nothing of the event may be stored.
        """
        if self.suppressed is not None:
            self.suppressed.check(view, text)
        if self.consent is not None:
            self.consent(view)

    def evaluate_unread(
        self, text: bytes, error: InvalidEventError
    ) -> tuple[InvalidEventError, bool]:
        """Return why to reject a text that isn't a valid event, and whether it may be stored."""
        if self.suppressed is not None and self.suppressed.occurs_in(text):
            return InvalidEventError(SUPPRESSED, SUPPRESSED_MESSAGE), False
        return error, self.consent is None


class Rejection(msgspec.Struct, frozen=True):
    """A rejected event: its index, a stable code and a message.

    `text` is None if the event must not be stored, not even as a bad row.
    """

    i: int
    code: str
    message: str
    text: bytes | None


class Validated(msgspec.Struct, frozen=True):
    """Accepted plus rejected events are all events. `views[n]` is the view of `accepted[n]`."""

    accepted: list[Accepted]
    views: list[View]
    rejected: list[Rejection]


def check_batch_size(payload: Payload, limits: Limits) -> None:
    """Check the size of a request, its number of events, and the size of the batch's context.

    Raises:
        ContentTooLargeError: The request exceeds a limit of its source.
    """
    if len(payload.body) > limits.batch_bytes:
        raise ContentTooLargeError("body_too_large", f"the body exceeds {limits.batch_bytes} bytes")
    if len(payload.events) > limits.batch_events:
        raise ContentTooLargeError(
            "too_many_events", f"the batch exceeds {limits.batch_events} events"
        )
    # Every record of the request repeats the context, and must fit into one with it.
    if len(payload.context) > limits.event_bytes:
        raise ContentTooLargeError(
            "context_too_large", f"the batch's context exceeds {limits.event_bytes} bytes"
        )


def validate(
    events: Sequence[bytes],
    context: RequestContext,
    limits: Limits,
    rules: StorageRules | None,
) -> Validated:
    """Validate each event separately, and add the type, id and time that it lacks."""
    accepted: list[Accepted] = []
    views: list[View] = []
    rejected: list[Rejection] = []
    derived = _DerivedMessageIds(context)
    clock_skew = times.skew(context.received_at, context.sent_at)
    # A batch can have 5,000 events, so attribute lookups stay outside the loop.
    received_at, event_type = context.received_at, context.event_type
    visitor_id, plan = context.visitor_id, context.plan
    max_bytes = limits.event_bytes
    if plan is not None:
        # Few sources have a plan, and the other cold starts don't pay for it.
        from edge_ingest.tracking_plan import check as check_plan
    for i, text in enumerate(events):
        storable = rules is None
        is_read = False
        try:
            try:
                view = read(text, max_bytes)
            except InvalidEventError as error:
                text, view = _read_repaired(text, max_bytes, error)  # noqa: PLW2901
            event = text
            if visitor_id and not view.identified:
                event = _set_anonymous_id(text, view, visitor_id)
            if rules is not None:
                is_read = True
                rules.check(view, text)
                storable = True
            validate_event(view, event_type)
            timestamp, original, repair = event_times(view, received_at, clock_skew)
            if plan is not None and (event_type or view.type) == "track":
                repair = check_plan(plan, view, text) or repair
            if event_type is not None and view.type != event_type:
                event = set_type(event, view, event_type)
            message_id = view.message_id or derived.message_id(view, text)
        except InvalidEventError as error:
            reason = error
            if rules is not None and not is_read:
                reason, storable = rules.evaluate_unread(text, error)
            rejected.append(Rejection(i, reason.code, str(reason), text if storable else None))
            continue
        views.append(view)
        stored = Accepted(
            i=i,
            message_id=message_id,
            timestamp=timestamp,
            original_timestamp=original,
            event=msgspec.Raw(event),
        )
        # Few events have other values than the defaults, which take less time.
        if repair or not view.message_id:
            source = "client" if view.message_id else "derived"
            stored = msgspec.structs.replace(stored, message_id_source=source, repair=repair)
        accepted.append(stored)
    return Validated(accepted, views, rejected)


def _set_anonymous_id(text: bytes, view: View, visitor_id: str) -> bytes:
    view.anonymous_id = visitor_id
    return rewrite(text, lambda event: {**event, "anonymousId": visitor_id})


def _read_repaired(text: bytes, max_bytes: int, error: InvalidEventError) -> tuple[bytes, View]:
    """Return an event with objects in place of PHP's empty lists, and its view.

    PHP encodes an empty associative array as an empty list.

    Raises:
        InvalidEventError: The event is invalid for another reason.
    """
    if error.code not in _OBJECTS.values():
        raise error
    repaired = rewrite(
        text,
        lambda event: {
            name: {} if value == [] and name in _OBJECTS else value for name, value in event.items()
        },
    )
    return repaired, read(repaired, max_bytes)


def _is_set(time: object) -> bool:
    """Return whether a time tells two events apart. An unset one is before 1971 or has no digit."""
    if (parsed := times.parse(time)) is not None:
        return parsed.year > 1970
    return re.search("[1-9]", str(time)) is not None


class _DerivedMessageIds:
    """Derive message ids from event content, so that a resent event has the same id.

    Two equal events without a time can be two visits, so their ids differ between requests, and
    also if the time is a constant, such as Go's zero time or JavaScript's `Invalid Date`. Equal
    events in one request get different ids: a counter is part of the hash. `sentAt` isn't part of
    it, because SDKs change it for each attempt.
    """

    def __init__(self, context: RequestContext) -> None:
        self._prefix = f"{context.salt}\0{context.write_key}\0"
        self._request_id = context.request_id
        self._counts: dict[str, int] = {}

    def message_id(self, view: View, text: bytes) -> str:
        is_timed = _is_set(view.original_timestamp) or _is_set(view.timestamp)
        request_id = "" if is_timed else self._request_id
        event = json.loads(text, parse_float=str, parse_int=str)
        event.pop("sentAt", None)
        event.pop("messageId", None)
        canonical = json.dumps(event, sort_keys=True, separators=(",", ":"))
        count = self._counts[canonical] = self._counts.get(canonical, 0) + 1
        key = f"{self._prefix}{request_id}\0{count}\0{canonical}"
        digest = sha256(key.encode("utf-8", "surrogatepass"))
        return f"derived-{digest.hexdigest()[:32]}"
