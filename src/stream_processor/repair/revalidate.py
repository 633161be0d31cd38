"""An event that became a bad row, judged again by the rule of the door that it came in by.

What the collector refused is judged by the collector's own schema (`clickstream.event`): a redrive
is no way around it. What another producer put on the stream itself is judged by the reader's.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

import clickstream
from clickstream import event as schema
from clickstream import times
from stream_processor.ingest import decode
from stream_processor.ingest.decoded_rows import AcceptedLine, BadRow
from stream_processor.ingest.event_schema import Event
from stream_processor.rows.record_columns import NO_HEADER, RecordHead

type Row = Mapping[str, Any]


def event(
    text: bytes, place: str, head: RecordHead, *, line: bool
) -> tuple[AcceptedLine, Event, bytes] | None:
    """Decode what a bad row holds; None where it is still no event.

    `place` stands in for an id that it has not; `line`: the text is a whole line of its record.
    """
    if line:
        found = decode.line(text)
    elif head.header is NO_HEADER:
        found = decode.plain_event(text, place)
    else:
        found = _accepted(text, place, head)
    return None if isinstance(found, BadRow) else found


def _accepted(
    text: bytes, place: str, head: RecordHead
) -> tuple[AcceptedLine, Event, bytes] | BadRow:
    """What the collector would make of the event, had it accepted it when it came."""
    received = datetime.fromtimestamp(head.arrived_ms / 1000, UTC)
    try:
        # What is too large was cut by the collector, and is no JSON any more.
        view = schema.read(text, len(text))
        schema.judge(view, None)
        behind = times.skew(received, times.parse(head.sent_at))
        timestamp, original = schema.clocked(view, received, behind)
    except schema.RefusalError as refusal:
        return BadRow(refusal.code, str(refusal), text)
    found = decode.plain_event(text, place)
    if isinstance(found, BadRow):
        return found
    beside, fields, _ = found
    return (
        msgspec.structs.replace(beside, timestamp=timestamp, original_timestamp=original),
        fields,
        text,
    )


def head(row: Row) -> RecordHead:
    """The facts of the row's request, as its columns have them."""
    arrived, sent = round(row["received_at"].timestamp() * 1000), _text(row["sent_at"])
    if row["request_id"] is None:
        return RecordHead(NO_HEADER, arrived, sent)
    header = clickstream.Header(
        request_id=row["request_id"],
        received_at=times.text(row["received_at"].astimezone(UTC)),
        sent_at=sent,
        source=row["source"] or "",
        stream_region=row["stream_region"] or "",
        edge_region=row["edge_region"] or "",
        failover=bool(row["failover"]),
        bot=bool(row["bot"]),
        **{
            name: row[name]
            for name in ("ip", "user_agent", "country", "region", "city", "time_zone", "device")
        },
    )
    return RecordHead(header, arrived, sent)


def _text(at: datetime | None) -> str | None:
    return None if at is None else times.text(at.astimezone(UTC))
