"""Read the records that the streams still retain, for `verify`.

Kinesis keeps a record for the stream's retention (a week here), DynamoDB keeps a change for a day.
Only the stream can tell that a record is missing once no object and no checkpoint covers it.
"""

import base64
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final

from stream_processor.errors import StorageError
from stream_processor.ingest.records import Batch, ChangeRecord, StreamRecord
from stream_processor.rows import change_rows
from stream_processor.settings import Settings
from stream_processor.storage import lake_keys

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient
    from mypy_boto3_kinesis import KinesisClient

#: DynamoDB can return empty pages before the end of an open shard: after these it is the end.
_MAX_EMPTY_PAGES: Final = 3


@dataclass(frozen=True, slots=True)
class Clients:
    """SDK clients of the streams and their table."""

    kinesis: "KinesisClient"
    dynamodb: "DynamoDBClient"
    changes: "DynamoDBStreamsClient"


@cache
def clients() -> Clients:
    """Return the clients of this process, created at their first use.

    They retry often, because the event source mappings read the same shards.
    """
    import boto3
    from botocore.config import Config

    config = Config(retries={"mode": "standard", "max_attempts": 10})
    return Clients(
        boto3.client("kinesis", config=config),
        boto3.client("dynamodb", config=config),
        boto3.client("dynamodbstreams", config=config),
    )


class StreamReader:
    """Read the events stream and the appointments stream by shard, in pages."""

    def __init__(self, settings: Settings, sdk_clients: Clients | None = None) -> None:
        self._settings = settings
        self._injected = sdk_clients

    @property
    def _clients(self) -> Clients:
        return self._injected if self._injected is not None else clients()

    def events(self, hours: int, since: tuple[str, int] = ("", 0)) -> Iterator[Batch[StreamRecord]]:
        """Yield the records of the last hours that pass the filter of the events mapping.

        `since` is a shard, and a time in Unix ms: shards before it, and its earlier records, are
        left out.

        Raises:
            StorageError: The stream can't be read.
        """
        kinesis = self._clients.kinesis
        stream = lake_keys.events_stream(self._settings.stage)
        start = time.time() - hours * 3_600
        summary = _call(kinesis.describe_stream_summary, StreamName=stream)
        arn = summary["StreamDescriptionSummary"]["StreamARN"]
        # An iterator alone doesn't tell which stream a role's policy must allow.
        read = partial(kinesis.get_records, StreamARN=arn)
        query: dict[str, Any] = {"StreamName": stream}
        while True:
            page = _call(kinesis.list_shards, **query)
            for shard in page["Shards"]:
                if shard["ShardId"] < since[0]:
                    continue
                is_first = shard["ShardId"] == since[0]
                iterator = _call(
                    kinesis.get_shard_iterator,
                    StreamName=stream,
                    ShardId=shard["ShardId"],
                    ShardIteratorType="AT_TIMESTAMP",
                    Timestamp=max(start, since[1] / 1000) if is_first else start,
                )["ShardIterator"]
                for records in _pages(read, iterator):
                    yield Batch(stream, shard["ShardId"], [_stream_record(it) for it in records])
            if not page.get("NextToken"):
                return
            query = {"NextToken": page["NextToken"]}

    def changes(self) -> Iterator[Batch[ChangeRecord]]:
        """Yield the changes of this Region that the stream retains.

        Raises:
            StorageError: The stream or its table can't be read.
        """
        table, streams = self._settings.appointments_table, self._clients.changes
        description = _call(self._clients.dynamodb.describe_table, TableName=table)["Table"]
        arn = description["LatestStreamArn"]
        name = f"{table}/{arn.rpartition('/')[2]}"
        query: dict[str, Any] = {"StreamArn": arn}
        regions = self._settings.exported_regions
        while True:
            page = _call(streams.describe_stream, **query)["StreamDescription"]
            for shard in page["Shards"]:
                shard_of_stream = {"StreamArn": arn, "ShardId": shard["ShardId"]}
                iterator = _call(
                    streams.get_shard_iterator, **shard_of_stream, ShardIteratorType="TRIM_HORIZON"
                )["ShardIterator"]
                for records in _pages(streams.get_records, iterator):
                    changes = map(_change, records)
                    own_changes = [c for c in changes if change_rows.own(c, regions)]
                    yield Batch(name, shard["ShardId"], own_changes)
            if not page.get("LastEvaluatedShardId"):
                return
            query["ExclusiveStartShardId"] = page["LastEvaluatedShardId"]


def _pages(read: Callable[..., Any], iterator: str | None) -> Iterator[list[Mapping[str, Any]]]:
    """Yield the pages of a shard up to its current end."""
    empty = 0
    while iterator and empty < _MAX_EMPTY_PAGES:
        page = _call(read, ShardIterator=iterator)
        if page["Records"]:
            yield page["Records"]
        # Kinesis returns how far a page is behind the end of the shard; DynamoDB doesn't.
        empty = 0 if page["Records"] or page.get("MillisBehindLatest") else empty + 1
        iterator = page.get("NextShardIterator")
        if page.get("MillisBehindLatest") == 0:
            return


def _stream_record(record: Mapping[str, Any]) -> StreamRecord:
    return StreamRecord(
        int(record["SequenceNumber"]),
        round(record["ApproximateArrivalTimestamp"].timestamp() * 1000),
        base64.b64encode(record["Data"]).decode(),
    )


def _change(record: Mapping[str, Any]) -> ChangeRecord:
    change = record["dynamodb"]
    arrived = change["ApproximateCreationDateTime"].timestamp()
    # Lambda's events have the time as a number; other differences aren't read.
    image = {**record, "dynamodb": {**change, "ApproximateCreationDateTime": arrived}}
    return ChangeRecord(int(change["SequenceNumber"]), round(arrived * 1000), image)


def _call(call: Callable[..., Any], **query: Any) -> Any:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return call(**query)
    except (BotoCoreError, ClientError) as error:
        raise StorageError(
            f"Can't read the streams: {error}. Check that they exist and that the credentials may "
            "read them."
        ) from error
