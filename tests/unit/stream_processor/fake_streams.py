"""A stream of events and a table's stream in memory, as boto3 reads them."""

import base64
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from stream_processor.repair.stream_reader import Clients, StreamReader
from tests.unit.stream_processor.fakes import SETTINGS

ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/appointments/stream/label"
#: Records of a page: every shard of more takes several.
PAGE = 3


@dataclass
class FakeStreams:
    """What was put, by shard; `kinesis` and `changes` take the events that a function would get."""

    kinesis: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    changes: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))

    def put(self, event: Mapping[str, Any], key: str = "0" * 32) -> None:
        """Put the records of an invocation event of Kinesis."""
        for record in event["Records"]:
            kinesis = record["kinesis"]
            self.kinesis[record["eventID"].partition(":")[0]].append(
                {
                    "SequenceNumber": kinesis["sequenceNumber"],
                    "PartitionKey": key,
                    "Data": base64.b64decode(kinesis["data"]),
                    "ApproximateArrivalTimestamp": _at(kinesis["approximateArrivalTimestamp"]),
                }
            )

    def change(self, record: Mapping[str, Any], shard: str) -> None:
        """Put a record of an invocation event of DynamoDB Streams."""
        change = record["dynamodb"]
        arrived = {"ApproximateCreationDateTime": _at(change["ApproximateCreationDateTime"])}
        self.changes[shard].append({**record, "dynamodb": change | arrived})

    def streams(self) -> StreamReader:
        """As the code under test reads them."""
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
    answer: str

    def list_shards(self, **query: Any) -> dict[str, Any]:
        """One shard a page."""
        names = sorted(self.shards)
        place = int(query.get("NextToken", 0))
        more = {"NextToken": str(place + 1)} if place + 1 < len(names) else {}
        return {"Shards": [{"ShardId": it} for it in names[place : place + 1]], **more}

    def describe_stream(self, **query: Any) -> dict[str, Any]:
        names = sorted(self.shards)
        start = query.get("ExclusiveStartShardId")
        place = 0 if start is None else names.index(start) + 1
        more = {"LastEvaluatedShardId": names[place]} if place + 1 < len(names) else {}
        return {
            "StreamDescription": {
                "Shards": [{"ShardId": it} for it in names[place : place + 1]],
                **more,
            }
        }

    def get_shard_iterator(self, **query: Any) -> dict[str, Any]:
        return {"ShardIterator": f"{query['ShardId']}/0"}

    def get_records(self, **query: Any) -> dict[str, Any]:
        """A page; now and then one of nothing, as the services answer."""
        shard, _, place = query["ShardIterator"].partition("/")
        start, records = int(place), self.shards[shard]
        if self.answer == "Shards":
            behind = {"MillisBehindLatest": 0 if start + PAGE >= len(records) else 1}
        else:
            behind = {}
        page = records[start : start + PAGE]
        return {
            "Records": page,
            "NextShardIterator": f"{shard}/{start + len(page)}",
            **behind,
        }
