"""Read Kinesis data streams and DynamoDB Streams over their public APIs."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from aws_emulator.event_sources.clients import Clients, domain_errors
from aws_emulator.event_sources.mapping import EventSourceMapping
from aws_emulator.event_sources.records import Record, dynamodb_record, kinesis_record
from aws_emulator.event_sources.resharding import ShardInfo

if TYPE_CHECKING:
    from mypy_boto3_dynamodbstreams.type_defs import (
        GetShardIteratorInputTypeDef as TableIteratorTypeDef,
    )
    from mypy_boto3_kinesis.type_defs import GetShardIteratorInputTypeDef


@dataclass(frozen=True, slots=True)
class StartingPosition:
    """The position in a shard at which to start reading; `timestamp` is in Unix seconds."""

    kind: Literal["AFTER_SEQUENCE_NUMBER", "AT_TIMESTAMP", "TRIM_HORIZON", "LATEST"]
    sequence: str = ""
    timestamp: float = 0.0


@dataclass(frozen=True, slots=True)
class RecordPage:
    """The result of GetRecords. A closed shard ends with `next` None.

    `behind_ms` is MillisBehindLatest, which only Kinesis returns.
    """

    records: Sequence[Record]
    next: str | None
    caught_up: bool
    behind_ms: int | None = None


class Stream(Protocol):
    """A stream of shards."""

    def shards(self) -> list[ShardInfo]:
        """Return all listed shards.

        Raises:
            ServiceError: The service returned an error.
            UnreachableError: The endpoint didn't respond.
        """

    def iterator(self, shard_id: str, start: StartingPosition) -> str:
        """Return a shard iterator for the position.

        Raises:
            ServiceError: The service returned an error.
            UnreachableError: The endpoint didn't respond.
        """

    def page(self, shard_id: str, iterator: str) -> RecordPage:
        """Return the next records of the shard.

        Raises:
            ServiceError: The service returned an error.
            UnreachableError: The endpoint didn't respond.
        """


def open_stream(clients: Clients, config: EventSourceMapping) -> Stream:
    """Return the stream of a mapping."""
    if config.source_kind == "kinesis":
        return KinesisStream(clients, config)
    return DynamoDbStream(clients, config)


class KinesisStream:
    """A Kinesis data stream."""

    #: "Each call to GetRecords can return up to 10 MiB of data and up to 10,000 records"
    #: (API_GetRecords)
    MAX_RECORDS: Final = 10_000

    def __init__(self, clients: Clients, config: EventSourceMapping) -> None:
        self._client = clients.kinesis(config.region)
        self._control = clients.kinesis_control(config.region)
        # The source can be a stream consumer. Enhanced fan-out adds throughput; the records are
        # those of the stream.
        self._arn = config.source_arn.split("/consumer/")[0]

    def shards(self) -> list[ShardInfo]:
        """Return the stream's shards.

        Raises:
            ServiceError: The service returned an error.
            UnreachableError: The endpoint didn't respond.
        """
        with domain_errors():
            pages = self._control.get_paginator("list_shards").paginate(StreamARN=self._arn)
            return [
                ShardInfo(
                    shard["ShardId"],
                    tuple(
                        parent
                        for parent in (
                            shard.get("ParentShardId"),
                            shard.get("AdjacentParentShardId"),
                        )
                        if parent
                    ),
                    closed="EndingSequenceNumber" in shard["SequenceNumberRange"],
                )
                for page in pages
                for shard in page["Shards"]
            ]

    def iterator(self, shard_id: str, start: StartingPosition) -> str:
        """Return a shard iterator.

        Raises:
            ServiceError: The service returned an error.
            UnreachableError: The endpoint didn't respond.
        """
        request: GetShardIteratorInputTypeDef = {
            "StreamARN": self._arn,
            "ShardId": shard_id,
            "ShardIteratorType": start.kind,
        }
        if start.kind == "AFTER_SEQUENCE_NUMBER":
            request["StartingSequenceNumber"] = start.sequence
        if start.kind == "AT_TIMESTAMP":
            # botocore sends whole seconds; `ShardIterator` skips the records before the time.
            request["Timestamp"] = dt.datetime.fromtimestamp(start.timestamp, dt.UTC)
        with domain_errors():
            return self._client.get_shard_iterator(**request)["ShardIterator"]

    def page(self, shard_id: str, iterator: str) -> RecordPage:
        """Return the next records of a shard.

        Raises:
            ServiceError: The service returned an error.
            UnreachableError: The endpoint didn't respond.
        """
        with domain_errors():
            answer: Any = self._client.get_records(ShardIterator=iterator, Limit=self.MAX_RECORDS)
        records = [
            kinesis_record(
                sequence=record["SequenceNumber"],
                partition_key=record["PartitionKey"],
                data=record["Data"],
                arrived=record["ApproximateArrivalTimestamp"],
                shard_id=shard_id,
                stream_arn=self._arn,
            )
            for record in answer["Records"]
        ]
        # "A value of zero indicates that record processing is caught up, and there are no new
        # records to process at this moment." (API_GetRecords, MillisBehindLatest)
        behind = answer.get("MillisBehindLatest", 0)
        return RecordPage(records, answer.get("NextShardIterator"), behind == 0, behind)


class DynamoDbStream:
    """The stream of a DynamoDB table."""

    def __init__(self, clients: Clients, config: EventSourceMapping) -> None:
        self._client = clients.dynamodb_streams(config.region)
        self._control = clients.dynamodb_streams_control(config.region)
        self._arn = config.source_arn

    def shards(self) -> list[ShardInfo]:
        """Return the stream's shards.

        Raises:
            ServiceError: The service returned an error.
            UnreachableError: The endpoint didn't respond.
        """
        shards: list[ShardInfo] = []
        last = None
        while True:
            request: Any = {"StreamArn": self._arn}
            if last:
                request["ExclusiveStartShardId"] = last
            with domain_errors():
                description = self._control.describe_stream(**request)["StreamDescription"]
            for shard in description.get("Shards", []):
                parent = shard.get("ParentShardId")
                closed = "EndingSequenceNumber" in shard.get("SequenceNumberRange", {})
                shards.append(ShardInfo(shard["ShardId"], (parent,) if parent else (), closed))
            last = description.get("LastEvaluatedShardId")
            if not last:
                return shards

    def iterator(self, shard_id: str, start: StartingPosition) -> str:
        """Return a shard iterator.

        Raises:
            ServiceError: The service returned an error.
            UnreachableError: The endpoint didn't respond.
        """
        # DynamoDB Streams has no AT_TIMESTAMP: `ShardIterator` skips the older records.
        kind = "TRIM_HORIZON" if start.kind == "AT_TIMESTAMP" else start.kind
        request: TableIteratorTypeDef = {
            "StreamArn": self._arn,
            "ShardId": shard_id,
            "ShardIteratorType": kind,
        }
        if start.kind == "AFTER_SEQUENCE_NUMBER":
            request["SequenceNumber"] = start.sequence
        with domain_errors():
            return self._client.get_shard_iterator(**request)["ShardIterator"]

    def page(
        self,
        shard_id: str,  # noqa: ARG002 -- only Kinesis records contain the shard ID
        iterator: str,
    ) -> RecordPage:
        """Return the next records of a shard.

        Raises:
            ServiceError: The service returned an error.
            UnreachableError: The endpoint didn't respond.
        """
        with domain_errors():
            answer: Any = self._client.get_records(ShardIterator=iterator)
        records = [dynamodb_record(record, stream_arn=self._arn) for record in answer["Records"]]
        # DynamoDB Streams has no MillisBehindLatest. An empty page marks the tip.
        return RecordPage(records, answer.get("NextShardIterator"), not records)
