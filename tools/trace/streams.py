"""The part of a path behind a stream: event source mapping, function, lake object and row."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from aws_emulator.launcher import EVENT_SOURCES
from aws_emulator.log_lines import LogLine
from aws_emulator.trace import Span
from tools.trace.evidence import Evidence, Row
from tools.trace.spans import invocation_span

_CHANGES: Final = "ChangesFunction"
_WRITTEN: Final = frozenset({"object written", "object adopted"})


def event_spans(evidence: Evidence, request_id: str) -> Sequence[Span]:
    """Return the spans of a collector request's record, from its stream to its lake rows."""
    rows = evidence.event_rows("request_id", request_id)
    position = _position(evidence, request_id, rows)
    if position is None:
        return []
    region, shard, sequence = position
    span = Span(f"Kinesis {region} {shard}:{sequence}")
    ingest = evidence.invocation("EdgeIngestFunction", "request_id", request_id)
    if ingest is not None:
        span.start_ms = ingest.end_ms
    batches = _batches(evidence, shard, int(sequence), region)
    if not batches:
        span.add(Span("no batch with this record yet: run the command again in a few seconds"))
    for batch in batches:
        inner = span.add(_batch_span(batch))
        function = evidence.invocation_by_id(str(batch.fields.get("request_id")))
        if function is not None:
            inner.add(invocation_span(function)).add(
                *_object_spans(evidence, shard, sequence, rows)
            )
    return [span]


def change_spans(evidence: Evidence, correlation_id: str) -> Sequence[Span]:
    """Return the spans of a changed item, from the table's stream to the row of the lake."""
    rows = evidence.change_rows(correlation_id)
    spans = []
    for function in evidence.invocations_with(_CHANGES, "correlation_id", correlation_id):
        batch = _batch_of(evidence, function.request_id)
        inner = invocation_span(function, correlation_id=correlation_id)
        for row in rows:
            key = _written(evidence, str(row["shard_id"]), str(row["sequence_number"]))
            inner.add(_object_span(str(key.fields["key"]) if key else _key(row), key, [row]))
        if batch is not None:
            outer = _batch_span(batch)
            outer.add(inner)
            inner = outer
        spans.append(inner)
    return spans or [Span("DynamoDB Streams: no batch with this change yet")]


def relay_batch(evidence: Evidence, invocation_id: str) -> Span | None:
    """Return the span of the event source mapping's batch that caused an invocation."""
    batch = _batch_of(evidence, invocation_id)
    return None if batch is None else _batch_span(batch)


def _position(
    evidence: Evidence, request_id: str, rows: Sequence[Row]
) -> tuple[str, str, str] | None:
    """Return Region, shard and sequence number, from the collector's log or from the lake."""
    ingest = evidence.invocation("EdgeIngestFunction", "request_id", request_id)
    for line in ingest.lines if ingest else ():
        if line.fields.get("sequence") and line.fields.get("request_id") == request_id:
            return tuple(str(line.fields[it]) for it in ("region", "shard", "sequence"))  # type: ignore[return-value] # three names
    for row in rows:
        return str(row["stream_region"]), str(row["shard_id"]), str(row["sequence_number"])
    return None


def _mapping_lines(evidence: Evidence) -> Iterable[LogLine]:
    return (it for it in evidence.lines if it.source == EVENT_SOURCES and "first" in it.fields)


def _batches(evidence: Evidence, shard: str, sequence: int, region: str) -> list[LogLine]:
    return [
        it
        for it in _mapping_lines(evidence)
        if it.fields.get("shard") == shard
        and it.fields.get("region") == region
        and int(it.fields["first"]) <= sequence <= int(it.fields["last"])
    ]


def _batch_of(evidence: Evidence, invocation_id: str) -> LogLine | None:
    lines = _mapping_lines(evidence)
    return next((it for it in lines if it.fields.get("request_id") == invocation_id), None)


def _batch_span(line: LogLine) -> Span:
    fields, duration_ms = line.fields, float(line.fields.get("ms") or 0)
    name = f"event source mapping {fields['event']}, {fields['records']} records"
    attempt = int(fields.get("attempt") or 1)
    details = f", attempt {attempt}" if attempt > 1 else ""
    if fields["event"] == "discarded":
        details += f", {fields.get('condition')}, sent to {fields.get('destination')}"
    elif error := fields.get("error_type") or fields.get("error"):
        details += f", {error}"
    return Span(f"{name}{details}", line.time_ms - duration_ms, duration_ms)


def _written(evidence: Evidence, shard: str, sequence: str) -> LogLine | None:
    """Return the line about the object that covers a record."""
    for line in evidence.lines:
        fields = line.fields
        if (
            fields.get("message") in _WRITTEN
            and str(fields.get("shard")).endswith(f"#{shard}")
            and int(fields["first"]) <= int(sequence) <= int(fields["last"])
        ):
            return line
    return None


def _object_spans(
    evidence: Evidence, shard: str, sequence: str, rows: Sequence[Row]
) -> Sequence[Span]:
    line = _written(evidence, shard, sequence)
    if line is not None:
        return [_object_span(str(line.fields["key"]), line, rows)]
    return [_object_span(_key(row), None, [row]) for row in rows[:1]]


def _object_span(key: str, line: LogLine | None, rows: Sequence[Row]) -> Span:
    span = Span(f"lake object {key}", line.time_ms if line else None)
    for row in rows:
        row_name = row.get("message_id") or row.get("op") or ""
        reason = f" ({row['reason_code']})" if row.get("reason_code") else ""
        span.add(Span(f"row {row['verdict']} {row_name}{reason}"))
    return span


def _key(row: Row) -> str:
    """Return the object's key: the part of the copy's path from the table's folder on."""
    parts = Path(str(row["filename"])).parts
    start = next((i for i, part in enumerate(parts) if part.startswith("date=")), 1) - 1
    return "/".join(parts[start:])


def requests_of_rows(rows: Iterable[Any]) -> list[str]:
    """Return the request IDs of lake rows, without repetitions."""
    return list(dict.fromkeys(str(row["request_id"]) for row in rows if row.get("request_id")))
