"""The peers of `benchmarks/stream.py`: an invocation event of Kinesis to zstd Parquet.

Each returns a function from the event to the size of its output. Unlike ours, the peers don't
validate events, find duplicates, update live counters or fall back on `context.page`.

`powertools` writes every column of `lake_schema.EVENTS`, with a dictionary per row. `duckdb_json`
writes the columns of events and of their requests, except the constant ones (verdict, shard, schema
version) and the record index. `duckdb_events` writes only the columns of the events, to show the
cost of reading nothing but their lines.
"""

import base64
import gzip
import json
import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final

type Event = dict[str, Any]
type Candidate = Callable[[Event], int]


def powertools() -> Candidate:
    """Powertools' BatchProcessor, json, `Table.from_pylist`."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from aws_lambda_powertools.utilities.batch import (
        BatchProcessor,
        EventType,
        process_partial_response,
    )
    from aws_lambda_powertools.utilities.data_classes.kinesis_stream_event import (
        KinesisStreamRecord,
    )

    from stream_processor.rows.lake_schema import EVENTS

    facts = (
        *("source", "stream_region", "edge_region", "failover", "request_id", "country"),
        *("region", "city", "time_zone", "device", "bot", "ip", "user_agent"),
    )

    def instant(text: str | None) -> datetime | None:
        return None if text is None else datetime.fromisoformat(text)

    campaigns = ("source", "medium", "name", "term", "content")

    def row(event: Event, header: Event, line: Event, record_position: tuple[str, int]) -> Event:
        page = event.get("properties", {})
        context = event.get("context", {})
        campaign = context.get("campaign", {})
        return {
            "verdict": "good",
            "message_id": line["message_id"],
            "type": event["type"],
            "event": event.get("event"),
            "name": event.get("name"),
            "user_id": event.get("userId"),
            "anonymous_id": event.get("anonymousId"),
            "timestamp": datetime.fromisoformat(line["timestamp"]),
            "original_timestamp": datetime.fromisoformat(line["original_timestamp"]),
            "received_at": instant(header.get("received_at")),
            "sent_at": instant(header.get("sent_at")),
            **{name: header.get(name) for name in facts},
            **{f"page_{name}": page.get(name) for name in ("url", "path", "title", "referrer")},
            "page_search": page.get("search"),
            **{f"campaign_{name}": campaign.get(name) for name in campaigns},
            "locale": context.get("locale"),
            "library": context.get("library", {}).get("name"),
            "event_json": json.dumps(event),
            "shard_id": "shardId-000000000000",
            "sequence_number": record_position[0],
            "record_index": record_position[1],
            "schema_version": 1,
        }

    def run(event: Event) -> int:
        rows: list[Event] = []

        def handle(record: KinesisStreamRecord) -> None:
            data = record.kinesis.data_as_bytes()
            sequence = record.kinesis.sequence_number
            if data[:2] == b"\x1f\x8b":
                header, *lines = map(json.loads, gzip.decompress(data).splitlines())
                for n, line in enumerate(lines[: header["accepted"]]):
                    rows.append(row(line["event"], header, line, (sequence, n)))
                return
            body = json.loads(data)
            line = {
                "message_id": body["messageId"],
                "timestamp": body["timestamp"],
                "original_timestamp": body["timestamp"],
            }
            rows.append(row(body, {}, line, (sequence, 0)))

        processor = BatchProcessor(event_type=EventType.KinesisDataStreams)
        process_partial_response(event=event, record_handler=handle, processor=processor)
        table = pa.Table.from_pylist(rows, schema=EVENTS)
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        return int(sink.getvalue().size)

    return run


_TRANSFORM: Final = {
    "type": "VARCHAR",
    "event": "VARCHAR",
    "name": "VARCHAR",
    "userId": "VARCHAR",
    "anonymousId": "VARCHAR",
    "properties": dict.fromkeys(("url", "path", "title", "referrer", "search"), "VARCHAR"),
    "context": {
        "locale": "VARCHAR",
        "campaign": dict.fromkeys(("source", "medium", "name", "term", "content"), "VARCHAR"),
        "library": {"name": "VARCHAR"},
    },
}
_SELECTED: Final = """
    e.type, e.event, e.name, e."userId", e."anonymousId", e.properties.url, e.properties.path,
    e.properties.title, e.properties.referrer, e.properties.search, e.context.locale,
    e.context.campaign.source, e.context.campaign.medium, e.context.campaign.name AS campaign,
    e.context.campaign.term, e.context.campaign.content, e.context.library.name AS library
"""


_HEADER: Final = {
    **dict.fromkeys(("received_at", "sent_at"), "TIMESTAMPTZ"),
    **dict.fromkeys(("failover", "bot"), "BOOLEAN"),
    **dict.fromkeys(
        ("request_id", "source", "stream_region", "edge_region", "ip", "user_agent", "country"),
        "VARCHAR",
    ),
    **dict.fromkeys(("region", "city", "time_zone", "device", "sequence_number"), "VARCHAR"),
    "first_line": "BIGINT",
}


def duckdb_json() -> Candidate:
    """DuckDB: lines to a file, `read_json` of it, one transformation, `COPY` to Parquet.

    An ASOF join on the line number adds the requests' columns from a second file.
    """
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET threads = 1")
    folder = Path(tempfile.mkdtemp(prefix="bench-stream-"))
    lines, headers, target = (folder / name for name in ("lines", "headers", "out.parquet"))
    columns = "{message_id: 'VARCHAR', timestamp: 'TIMESTAMPTZ', original_timestamp: "
    columns += "'TIMESTAMPTZ', event: 'JSON'}"
    facts = json.dumps(_HEADER)
    packed = f"""
        SELECT message_id, timestamp, original_timestamp, event AS event_json, h.*
        FROM (SELECT *, row_number() OVER () - 1 AS line
              FROM read_json('{lines}', columns = {columns}, format = 'nd')) AS l
        ASOF JOIN read_json('{headers}', columns = {facts}, format = 'nd') AS h
          ON l.line >= h.first_line"""
    plain = f"""
        SELECT json->>'messageId' AS message_id, (json->>'timestamp')::TIMESTAMPTZ AS timestamp,
          json AS event_json, h.*
        FROM (SELECT *, row_number() OVER () - 1 AS line
              FROM read_json_objects('{lines}', format = 'nd')) AS l
        JOIN read_json('{headers}', columns = {facts}, format = 'nd') AS h
          ON l.line = h.first_line"""

    def run(event: Event) -> int:
        count, source = 0, plain
        with lines.open("wb") as body, headers.open("wb") as heads:
            for record in event["Records"]:
                data = base64.b64decode(record["kinesis"]["data"])
                extra = b'"first_line":%d,"sequence_number":"%s"}\n' % (
                    count,
                    record["kinesis"]["sequenceNumber"].encode(),
                )
                if data[:2] == b"\x1f\x8b":
                    source = packed
                    header, _, rest = gzip.decompress(data).partition(b"\n")
                    body.write(rest)
                    heads.write(header[:-1] + b"," + extra)
                    count += rest.count(b"\n")
                else:
                    body.write(data + b"\n")
                    heads.write(b"{" + extra)
                    count += 1
        connection.execute(
            f"COPY (SELECT * EXCLUDE (e), {_SELECTED} FROM (SELECT *, "
            f"json_transform(event_json, '{json.dumps(_TRANSFORM)}') AS e FROM ({source}))) "
            f"TO '{target}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"
        )
        return target.stat().st_size

    return run


def duckdb_events() -> Candidate:
    """DuckDB with the columns of the events only, without their requests."""
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET threads = 1")
    folder = Path(tempfile.mkdtemp(prefix="bench-stream-"))
    lines, target = folder / "lines", folder / "out.parquet"
    columns = "{message_id: 'VARCHAR', timestamp: 'TIMESTAMPTZ', event: 'JSON'}"
    packed = f"""
        SELECT message_id, timestamp, event AS event_json
        FROM read_json('{lines}', columns = {columns}, format = 'nd')"""
    plain = f"""
        SELECT json->>'messageId' AS message_id, (json->>'timestamp')::TIMESTAMPTZ AS timestamp,
          json AS event_json
        FROM read_json_objects('{lines}', format = 'nd')"""

    def run(event: Event) -> int:
        source = plain
        with lines.open("wb") as body:
            for record in event["Records"]:
                data = base64.b64decode(record["kinesis"]["data"])
                if data[:2] == b"\x1f\x8b":
                    source = packed
                    body.write(gzip.decompress(data).partition(b"\n")[2])
                else:
                    body.write(data + b"\n")
        connection.execute(
            f"COPY (SELECT * EXCLUDE (e), {_SELECTED} FROM (SELECT *, "
            f"json_transform(event_json, '{json.dumps(_TRANSFORM)}') AS e FROM ({source}))) "
            f"TO '{target}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"
        )
        return target.stat().st_size

    return run
