"""Times on the wire, and the correction of a client's skewed clock."""

from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

_encoder: Final = msgspec.json.Encoder()
_WITH_FRACTION: Final = len('"2026-11-21T12:00:00.000000Z"')


def parse(text: object) -> datetime | None:
    """Read an ISO 8601 time; one without a zone is UTC. None where it is no time."""
    if not isinstance(text, str):
        return None
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is None:
            return time.replace(tzinfo=UTC)
        # A zone can push a time over the ends of the calendar.
        return time if time.tzinfo is UTC else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def text(time: datetime) -> str:
    """Write a UTC time as the wire record has it, `2026-11-21T12:00:00.000Z`, in 24 characters."""
    # A third of isoformat's time: `"2026-11-21T12:00:00.000000Z"`, or without a fraction.
    encoded = _encoder.encode(time)
    if len(encoded) == _WITH_FRACTION:
        return encoded[1:24].decode() + "Z"
    return encoded[1:20].decode() + ".000Z"


def canonical(time: datetime, sent: str) -> str:
    """Return `text(time)` of a time that was sent as `sent`: most SDKs write it that way."""
    if len(sent) == 24 and sent[7] == "-" and sent[10] == "T" and sent[19::4] == ".Z":
        return sent
    return text(time)


def skew(received_at: datetime, sent_at: datetime | None) -> timedelta:
    """Return how far the client's clock is behind the server's: `receivedAt - sentAt`.

    Without `sentAt` there is nothing to correct by: an import of history keeps its own times.
    """
    return timedelta(0) if sent_at is None else received_at - sent_at


def corrected(original: datetime, behind: timedelta) -> datetime | None:
    """Return `receivedAt - (sentAt - originalTimestamp)`, the event's time by the server's clock.

    Segment spec, common fields: the difference of two readings of the client's clock is right
    even where the clock is not. `behind` is their `skew`. None where that is past the calendar.
    """
    try:
        return original + behind
    except OverflowError:
        return None


def at(seconds: float) -> datetime:
    """Return the UTC time of a clock's reading, in whole milliseconds as the wire has them."""
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=int(seconds * 1000))
