"""Timestamps of the wire format, and the correction of clock skew."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

_encoder: Final = msgspec.json.Encoder()
# Clocks that are set from a network differ by seconds; a day includes a wrong time zone.
_MAX_SKEW: Final = timedelta(days=1)
# SDKs keep events of a device without a network, for weeks.
_MAX_QUEUED: Final = timedelta(days=60)
_EARLIEST: Final = datetime.min.replace(tzinfo=UTC)
_LATEST: Final = datetime.max.replace(tzinfo=UTC)
_WITH_FRACTION: Final = len('"2026-11-21T12:00:00.000000Z"')


def parse(text: object) -> datetime | None:
    """Parse an ISO 8601 time, UTC if it has no zone. Returns None if the text is invalid."""
    if not isinstance(text, str):
        return None
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is None:
            return time.replace(tzinfo=UTC)
        # Conversion to UTC can exceed the range of datetime.
        return time if time.tzinfo is UTC else time.astimezone(UTC)
    except (ValueError, OverflowError):
        # RFC 3339 §5.6 permits `t` and `z` in lower case.
        return parse(text.upper()) if text[-1:] == "z" else None


def text(time: datetime) -> str:
    """Format a UTC time for the wire: `2026-11-21T12:00:00.000Z`, 24 characters."""
    # A third of isoformat's time: `"2026-11-21T12:00:00.000000Z"`, or without a fraction.
    encoded = _encoder.encode(time)
    if len(encoded) == _WITH_FRACTION:
        return encoded[1:24].decode() + "Z"
    return encoded[1:20].decode() + ".000Z"


def canonical(time: datetime, timestamp: str) -> str:
    """Return `text(time)`, faster if `timestamp` has that format, as most SDKs' times do."""
    if (
        len(timestamp) == 24
        and timestamp[7] == "-"
        and timestamp[10] == "T"
        and timestamp[19::4] == ".Z"
    ):
        return timestamp
    return text(time)


def moved(timestamp: Any, behind: timedelta) -> str | None:
    """Return `text(time + behind)` of a time in the wire's format; None for any other value.

    It is `parse`, `canonical`, `corrected` and `text` of most SDKs' times in half of their time.
    """
    try:
        if (
            len(timestamp) != 24
            or timestamp[7] != "-"
            or timestamp[10] != "T"
            or timestamp[19::4] != ".Z"
        ):
            return None
        encoded = _encoder.encode(datetime.fromisoformat(timestamp) + behind)
    except (TypeError, ValueError, KeyError, OverflowError):
        return None
    if len(encoded) == _WITH_FRACTION:
        return encoded[1:24].decode() + "Z"
    return encoded[1:20].decode() + ".000Z"


class Skew(msgspec.Struct, frozen=True):
    """How far a client's clock is behind the server's, and the first and last plausible event time.

    None: each time is plausible. A client whose clock is years off states both times by that
    clock. If only `sentAt` is years off, it is wrong itself, and a correction by it would move the
    event by years.
    """

    behind: timedelta
    plausible: tuple[datetime, datetime] | None = None


_NO_SKEW: Final = Skew(timedelta(0))


def skew(received_at: datetime, sent_at: datetime | None) -> Skew:
    """Return the skew `receivedAt - sentAt` of a client's clock.

    Zero without `sentAt`: imported history keeps its times.
    """
    if sent_at is None:
        return _NO_SKEW
    behind = received_at - sent_at
    if -_MAX_SKEW <= behind <= _MAX_SKEW:
        return Skew(behind)
    try:
        return Skew(behind, (sent_at - _MAX_QUEUED, sent_at + _MAX_SKEW))
    except OverflowError:
        return Skew(behind, (_LATEST, _EARLIEST))


def corrected(original: datetime, behind: timedelta) -> datetime | None:
    """Return `receivedAt - (sentAt - originalTimestamp)`, the event's time by the server's clock.

    Segment spec, common fields: the difference between two readings of the client's clock is
    correct even if the clock is not. `behind` is part of the result of `skew`. Returns None if the
    time exceeds the range of datetime.
    """
    try:
        return original + behind
    except OverflowError:
        return None


def at(seconds: float) -> datetime:
    """Return a Unix time in seconds as UTC, truncated to milliseconds as on the wire."""
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=int(seconds * 1000))
