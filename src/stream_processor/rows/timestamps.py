"""Texts to instants: what a client calls a time is often almost one."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import pyarrow as pa

_MICRO: Final = pa.timestamp("us", "UTC")
MILLI: Final = pa.timestamp("ms", "UTC")


def instants(texts: Sequence[str | None]) -> pa.Array:
    """ISO 8601 texts as UTC milliseconds; null where a text is no time.

    A text without an offset is taken as UTC, digits past the millisecond are cut off.
    """
    try:
        # The usual case in one vectorised call; Arrow's parser refuses the whole column for one
        # text that it does not know.
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
