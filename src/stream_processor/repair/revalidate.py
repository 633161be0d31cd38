"""Validate the event of a bad row again, by the rules of the producer that sent it.

Events that the collector rejected must pass the collector's schema (`clickstream.event`), so a
redrive can't bypass it. Events of other producers must pass the reader's own schema.
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
    text: bytes, record_name: str, head: RecordHead, *, line: bool
) -> tuple[AcceptedLine, Event, bytes] | None:
    """Decode the event of a bad row; None if it is still invalid.

    `record_name` is its id if it has none. `line`: the text is a whole line of a packed record.
    """
    if line:
        decoded = decode.line(text)
    elif head.header is NO_HEADER:
        decoded = decode.plain_event(text, record_name)
    else:
        decoded = _accepted(text, record_name, head)
    return None if isinstance(decoded, BadRow) else decoded


def _accepted(
    text: bytes, record_name: str, head: RecordHead
) -> tuple[AcceptedLine, Event, bytes] | BadRow:
    """Decode the event as the collector would have accepted it when it arrived."""
    received = datetime.fromtimestamp(head.arrived_ms / 1000, UTC)
    try:
        view = schema.read(text, len(text))
        schema.validate_event(view, None)
        behind = times.skew(received, times.parse(head.sent_at))
        timestamp, original, repair = schema.event_times(view, received, behind)
    except schema.InvalidEventError as refusal:
        return BadRow(refusal.code, str(refusal), text)
    decoded = decode.plain_event(text, record_name)
    if isinstance(decoded, BadRow):
        return decoded
    line, fields, _ = decoded
    return (
        msgspec.structs.replace(
            line, timestamp=timestamp, original_timestamp=original, repair=repair
        ),
        fields,
        text,
    )


def head_of(row: Row) -> RecordHead:
    """Rebuild the head of the row's record from the row's columns."""
    arrived, sent_at = round(row["received_at"].timestamp() * 1000), _text(row["sent_at"])
    if row["request_id"] is None:
        return RecordHead(NO_HEADER, arrived, sent_at)
    header = clickstream.Header(
        request_id=row["request_id"],
        received_at=times.text(row["received_at"].astimezone(UTC)),
        sent_at=sent_at,
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
    return RecordHead(header, arrived, sent_at)


def _text(at: datetime | None) -> str | None:
    return None if at is None else times.text(at.astimezone(UTC))
