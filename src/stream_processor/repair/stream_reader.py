"""What the streams still hold: read by an operator's command, as an event source mapping would.

Kinesis keeps a record for the stream's retention (a week here), DynamoDB keeps a change for a day.
Both are the one witness of a record that is in no object, and in no row either.
"""

import base64
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from stream_processor.errors import StorageError
from stream_processor.ingest.invocation import Batch, ChangeRecord, StreamRecord
from stream_processor.rows import change_rows
from stream_processor.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient
    from mypy_boto3_kinesis import KinesisClient

#: The partition key that the mapping's filter leaves out (stacks/stream.yaml).
PROBE: Final = "probe"
#: An open shard of DynamoDB may answer with nothing before its end: that often, it is the end.
_EMPTY_PAGES: Final = 3


@dataclass(frozen=True, slots=True)
class Clients:
    """The services that are asked."""

    kinesis: "KinesisClient"
    dynamodb: "DynamoDBClient"
    changes: "DynamoDBStreamsClient"


@cache
def clients() -> Clients:
    """The clients of this process, made at their first use. Others read the same shards."""
    import boto3
    from botocore.config import Config

    config = Config(retries={"mode": "standard", "max_attempts": 10})
    return Clients(
        boto3.client("kinesis", config=config),
        boto3.client("dynamodb", config=config),
        boto3.client("dynamodbstreams", config=config),
    )


class StreamReader:
    """The stream of events and that of the appointments, shard by shard, in pages."""

    def __init__(self, settings: Settings, given: Clients | None = None) -> None:
        self._settings = settings
        self._given = given

    @property
    def _clients(self) -> Clients:
        return self._given if self._given is not None else clients()

    def events(self, hours: int) -> Iterator[Batch[StreamRecord]]:
        """The records of the last hours that the events' mapping hands on."""
        kinesis = self._clients.kinesis
        stream = f"meridian-{self._settings.stage}-events"
        start = time.time() - hours * 3_600
        listed: dict[str, Any] = {"StreamName": stream}
        while True:
            page = _asked(kinesis.list_shards, **listed)
            for shard in page["Shards"]:
                iterator = _asked(
                    kinesis.get_shard_iterator,
                    StreamName=stream,
                    ShardId=shard["ShardId"],
                    ShardIteratorType="AT_TIMESTAMP",
                    Timestamp=start,
                )["ShardIterator"]
                for records in _pages(kinesis.get_records, iterator):
                    yield Batch(stream, shard["ShardId"], [_packet(it) for it in records])
            if not page.get("NextToken"):
                return
            listed = {"NextToken": page["NextToken"]}

    def changes(self) -> Iterator[Batch[ChangeRecord]]:
        """The changes of this region that the stream still has."""
        table, streams = self._settings.appointments_table, self._clients.changes
        described = _asked(self._clients.dynamodb.describe_table, TableName=table)["Table"]
        arn = described["LatestStreamArn"]
        name = f"{table}/{arn.rpartition('/')[2]}"
        listed: dict[str, Any] = {"StreamArn": arn}
        while True:
            page = _asked(streams.describe_stream, **listed)["StreamDescription"]
            for shard in page["Shards"]:
                place = {"StreamArn": arn, "ShardId": shard["ShardId"]}
                iterator = _asked(
                    streams.get_shard_iterator, **place, ShardIteratorType="TRIM_HORIZON"
                )["ShardIterator"]
                for records in _pages(streams.get_records, iterator):
                    changes = map(_change, records)
                    mine = [c for c in changes if change_rows.own(c, self._settings.region)]
                    yield Batch(name, shard["ShardId"], mine)
            if not page.get("LastEvaluatedShardId"):
                return
            listed["ExclusiveStartShardId"] = page["LastEvaluatedShardId"]


def _pages(read: Callable[..., Any], iterator: str | None) -> Iterator[list[Mapping[str, Any]]]:
    """The pages of a shard up to now."""
    empty = 0
    while iterator and empty < _EMPTY_PAGES:
        page = _asked(read, ShardIterator=iterator)
        records = [it for it in page["Records"] if it.get("PartitionKey") != PROBE]
        if records:
            yield records
        # Kinesis says how far behind its end a page is; DynamoDB does not.
        empty = 0 if page["Records"] or page.get("MillisBehindLatest") else empty + 1
        iterator = page.get("NextShardIterator")
        if page.get("MillisBehindLatest") == 0:
            return


def _packet(record: Mapping[str, Any]) -> StreamRecord:
    return StreamRecord(
        int(record["SequenceNumber"]),
        round(record["ApproximateArrivalTimestamp"].timestamp() * 1000),
        base64.b64encode(record["Data"]).decode(),
    )


def _change(record: Mapping[str, Any]) -> ChangeRecord:
    change = record["dynamodb"]
    arrived = change["ApproximateCreationDateTime"].timestamp()
    # As the functions get it: the time as a number. The rest differs in nothing that is read.
    image = {**record, "dynamodb": {**change, "ApproximateCreationDateTime": arrived}}
    return ChangeRecord(int(change["SequenceNumber"]), round(arrived * 1000), image)


def _asked(call: Callable[..., Any], **query: Any) -> Any:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return call(**query)
    except (BotoCoreError, ClientError) as error:
        raise StorageError(f"the streams cannot be read: {error}") from error
