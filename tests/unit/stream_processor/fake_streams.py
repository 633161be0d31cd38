"""In-memory fakes of Kinesis and DynamoDB Streams with boto3's client methods."""

import base64
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from stream_processor.repair.stream_reader import Clients, StreamReader
from tests.unit.stream_processor.fakes import SETTINGS

ARN: Final = "arn:aws:dynamodb:us-east-1:000000000000:table/appointments/stream/label"
#: Records per page. Short pages make most reads take several calls.
PAGE: Final = 3


@dataclass
class FakeStreams:
    """The records of both streams by shard, added from a function's invocation events."""

    kinesis: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    changes: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))

    def put(self, event: Mapping[str, Any]) -> None:
        """Add the records of a Kinesis invocation event."""
        for record in event["Records"]:
            kinesis = record["kinesis"]
            self.kinesis[record["eventID"].partition(":")[0]].append(
                {
                    "SequenceNumber": kinesis["sequenceNumber"],
                    "PartitionKey": "0" * 32,
                    "Data": base64.b64decode(kinesis["data"]),
                    "ApproximateArrivalTimestamp": _at(kinesis["approximateArrivalTimestamp"]),
                }
            )

    def change(self, record: Mapping[str, Any], shard: str) -> None:
        """Add a record of a DynamoDB Streams invocation event."""
        change = record["dynamodb"]
        arrived = {"ApproximateCreationDateTime": _at(change["ApproximateCreationDateTime"])}
        self.changes[shard].append({**record, "dynamodb": change | arrived})

    def streams(self) -> StreamReader:
        """Return a reader of the streams."""
        kinesis: Any = _Shards(self.kinesis, "Shards")
        changes: Any = _Shards(self.changes, "StreamDescription")
        tables: Any = _Tables()
        return StreamReader(SETTINGS, Clients(kinesis, tables, changes))


def _at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


class _Tables:
    def describe_table(self, **_: Any) -> dict[str, Any]:
        return {"Table": {"LatestStreamArn": ARN}}


@dataclass
class _Shards:
    shards: dict[str, list[dict[str, Any]]]
    list_key: str

    def list_shards(self, **query: Any) -> dict[str, Any]:
        """Return a page with one shard."""
        names = sorted(self.shards)
        position = int(query.get("NextToken", 0))
        more = {"NextToken": str(position + 1)} if position + 1 < len(names) else {}
        return {
            "Shards": [{"ShardId": shard_id} for shard_id in names[position : position + 1]],
            **more,
        }

    def describe_stream_summary(self, **query: Any) -> dict[str, Any]:
        arn = f"arn:aws:kinesis:us-east-1:000000000000:stream/{query['StreamName']}"
        return {"StreamDescriptionSummary": {"StreamARN": arn}}

    def describe_stream(self, **query: Any) -> dict[str, Any]:
        names = sorted(self.shards)
        start = query.get("ExclusiveStartShardId")
        position = 0 if start is None else names.index(start) + 1
        more = {"LastEvaluatedShardId": names[position]} if position + 1 < len(names) else {}
        return {
            "StreamDescription": {
                "Shards": [{"ShardId": shard_id} for shard_id in names[position : position + 1]],
                **more,
            }
        }

    def get_shard_iterator(self, **query: Any) -> dict[str, Any]:
        return {"ShardIterator": f"{query['ShardId']}/0"}

    def get_records(self, **query: Any) -> dict[str, Any]:
        """Return a page of records, which can be empty."""
        shard, _, position = query["ShardIterator"].partition("/")
        start, records = int(position), self.shards[shard]
        if self.list_key == "Shards":
            behind = {"MillisBehindLatest": 0 if start + PAGE >= len(records) else 1}
        else:
            behind = {}
        page = records[start : start + PAGE]
        return {
            "Records": page,
            "NextShardIterator": f"{shard}/{start + len(page)}",
            **behind,
        }
