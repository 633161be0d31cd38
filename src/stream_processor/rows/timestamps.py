"""Parse the timestamps that clients send into Arrow timestamps."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import pyarrow as pa

_MICRO: Final = pa.timestamp("us", "UTC")
MILLI: Final = pa.timestamp("ms", "UTC")


def instants(texts: Sequence[str | None]) -> pa.Array:
    """Parse ISO 8601 texts into UTC milliseconds; an invalid text becomes null.

    A text without an offset is UTC. Digits after the milliseconds are cut off.
    """
    try:
        # The usual case in one vectorised call. Arrow rejects the whole column if one text is
        # invalid.
        return pa.array(texts, pa.string()).cast(_MICRO).cast(MILLI, safe=False)
    except pa.ArrowInvalid:
        return pa.array([_instant(text) for text in texts], MILLI)


def _instant(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is None:
            at = at.replace(tzinfo=UTC)
        return int((at - _EPOCH).total_seconds() * 1000)
    except (ValueError, OverflowError):
        return None


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
