"""Remove the rows of suppressed persons before they are written. Pure.

The collector refuses such events (edge_ingest.suppression). Other producers put records on the
stream without it, and a redrive or a restoration writes records from before. As of an event that
the collector refused, nothing stays but the row's record, its position and a code.
"""

from collections.abc import Sequence
from typing import Final

from signed_snapshot.persons import Persons, ids_in, repeats_ids
from stream_processor.ingest import raw_bytes
from stream_processor.ingest.decoded_rows import BadRow, DecodedRows

#: The code and the message of the collector (edge_ingest.errors).
SUPPRESSED: Final = "suppressed"
_ROW: Final = BadRow(SUPPRESSED, "the person's events must not be stored", b"")
_PREVIOUS: Final = b'"previousId"'


def suppress(
    rows: DecodedRows, start: int, persons: Persons, *, is_collected: bool = False
) -> list[int]:
    """Replace the rows of persons from `start` on by bad ones, and return their numbers.

    `is_collected`: the collector has compared the texts, too, so their ids are enough.
    """
    events = rows.events[start:] if start else rows.events
    users = [it.user_id for it in events]
    visitors = [it.anonymous_id for it in events]
    theirs = persons.among({*filter(None, users), *filter(None, visitors)})
    hidden = [row for row in rows.bad if row >= start and _is_bad_row_of(rows, row, persons)]
    has_others = not is_collected and _can_have_others(rows, users, visitors)
    if theirs or has_others:
        for row, event in enumerate(events, start):
            text = rows.texts[row]
            if (
                event.user_id in theirs
                or event.anonymous_id in theirs
                or (has_others and text is not None and _has_others(bytes(text), persons))
            ):
                hidden.append(row)
    for row in hidden:
        rows.replace(row, _ROW)
    return hidden


def _is_bad_row_of(rows: DecodedRows, row: int, persons: Persons) -> bool:
    return persons.occurs_in(raw_bytes.searchable(rows.bad[row].raw))


def _can_have_others(
    rows: DecodedRows, users: Sequence[str | None], visitors: Sequence[str | None]
) -> bool:
    """Return whether an event can have ids that aren't in its columns, by one look at the text."""
    text = rows.joined
    return (
        text is None
        or _PREVIOUS in text
        or b"\\u" in text
        or text.count(b'"userId"') > len(users) - users.count(None)
        or text.count(b'"anonymousId"') > len(visitors) - visitors.count(None)
    )


def _has_others(text: bytes, persons: Persons) -> bool:
    """Return whether an event has an id of a person that isn't in its columns."""
    if _PREVIOUS not in text and not repeats_ids(text):
        return False
    try:
        return any(it in persons for it in ids_in(text))
    except (ValueError, RecursionError):
        return persons.occurs_in(text)
