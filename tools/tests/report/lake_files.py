"""A data lake in memory: Parquet objects behind a fake S3 client."""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq

from tools.report.lake_objects import Lake

MOMENT = pa.timestamp("ms", tz="UTC")
TEXTS = [
    "verdict", "reason_code", "reason", "message_id", "type", "event", "name", "user_id",
    "anonymous_id", "source", "stream_region", "edge_region", "request_id", "page_url",
    "page_path", "page_title", "page_referrer", "page_search", "campaign_source",
    "campaign_medium", "campaign_name", "campaign_term", "campaign_content", "country", "region",
    "city", "time_zone", "device", "ip", "user_agent", "locale", "library", "event_json",
    "shard_id", "sequence_number",
]  # fmt: skip
MOMENTS = ("timestamp", "original_timestamp", "sent_at", "received_at")
SCHEMA = pa.schema(
    [(name, pa.string()) for name in TEXTS]
    + [(name, MOMENT) for name in MOMENTS]
    + [("failover", pa.bool_()), ("bot", pa.bool_()), ("raw", pa.binary())]
    + [("record_index", pa.int32()), ("schema_version", pa.int32())]
)

Row = dict[str, Any]


def row(event: Mapping[str, Any], received_at: datetime, verdict: str = "good", **more: Any) -> Row:
    """Return the lake row of a page event."""
    page = event["properties"]
    return {
        "verdict": verdict,
        "message_id": event["messageId"],
        "type": event["type"],
        "anonymous_id": event["anonymousId"],
        "timestamp": datetime.fromisoformat(event["timestamp"]),
        "received_at": received_at,
        "page_path": page["path"],
        "bot": "bot" in (event["context"].get("userAgent") or "").lower(),
        "schema_version": 1,
    } | more


def parquet(rows: Sequence[Row]) -> bytes:
    """Return the rows as the bytes of a Parquet file."""
    buffer = io.BytesIO()
    filled = [{name: each.get(name) for name in SCHEMA.names} for each in rows]
    pq.write_table(pa.Table.from_pylist(filled, schema=SCHEMA), buffer)
    return buffer.getvalue()


@dataclass
class Bucket:
    """A fake S3 client with one bucket."""

    objects: dict[str, tuple[bytes, dict[str, str], datetime]] = field(default_factory=dict)

    def put(self, rows: Sequence[Row], modified: datetime | None = None) -> str:
        """Store rows as the next object, with the row counts in its metadata."""
        key = f"events/date=2025-01-01/hour=00/shard-{len(self.objects):056d}.parquet"
        metadata = {
            verdict: str(sum(each["verdict"] == verdict for each in rows))
            for verdict in ("good", "bad", "duplicate")
        }
        self.objects[key] = (parquet(rows), metadata, modified or datetime.now(UTC))
        return key

    @property
    def lake(self) -> Lake:
        """A lake that reads this bucket."""
        return Lake(cast("Any", self), "lake")

    def get_paginator(self, name: str) -> "Bucket":
        assert name == "list_objects_v2"
        return self

    def paginate(self, *, Bucket: str, Prefix: str) -> Iterator[Row]:  # noqa: N803 - boto3's names
        for key, (body, _, modified) in self.objects.items():
            if key.startswith(Prefix):
                yield {"Contents": [{"Key": key, "Size": len(body), "LastModified": modified}]}

    def head_object(self, *, Bucket: str, Key: str) -> Row:  # noqa: N803 - boto3's names
        return {"Metadata": self.objects[Key][1]}

    def get_object(self, *, Bucket: str, Key: str) -> Row:  # noqa: N803 - boto3's names
        return {"Body": io.BytesIO(self.objects[Key][0]), "Metadata": self.objects[Key][1]}
