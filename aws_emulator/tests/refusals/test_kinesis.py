"""Requests that Kinesis Data Streams refuses."""

from typing import Any

from aws_emulator.tests.ministack.running import Emulator, unique
from aws_emulator.tests.refusals.refusing import refused

INVALID = "ValidationException"
MIB = 1_048_576


def create_stream(emulator: Emulator) -> str:
    name = unique("stream")
    emulator.client("kinesis").create_stream(StreamName=name, ShardCount=1)
    return name


def records(count: int, size: int) -> list[dict[str, Any]]:
    return [{"Data": b"x" * (size - 1), "PartitionKey": "k"}] * count


def test_kinesis_refuses_record_over_1_mib(emulator: Emulator) -> None:
    name, client = create_stream(emulator), emulator.client("kinesis")
    client.put_record(StreamName=name, Data=b"x" * (MIB - 1), PartitionKey="k")
    refused(INVALID, client.put_record, StreamName=name, Data=b"x" * MIB, PartitionKey="k")
    refused(INVALID, client.put_records, StreamName=name, Records=records(1, MIB + 1))


def test_kinesis_refuses_over_500_records(emulator: Emulator) -> None:
    name, client = create_stream(emulator), emulator.client("kinesis")
    client.put_records(StreamName=name, Records=records(500, 10))
    refused(INVALID, client.put_records, StreamName=name, Records=records(501, 10))


def test_kinesis_refuses_request_over_10_mib(emulator: Emulator) -> None:
    name, client = create_stream(emulator), emulator.client("kinesis")
    refused(None, client.put_records, StreamName=name, Records=records(11, MIB))


def test_kinesis_refuses_partition_key_over_256_characters(emulator: Emulator) -> None:
    name, client = create_stream(emulator), emulator.client("kinesis")
    client.put_record(StreamName=name, Data=b"x", PartitionKey="k" * 256)
    refused(INVALID, client.put_record, StreamName=name, Data=b"x", PartitionKey="k" * 257)


def test_kinesis_refuses_sequence_number_of_other_stream(emulator: Emulator) -> None:
    name, client = create_stream(emulator), emulator.client("kinesis")
    refused(
        "InvalidArgumentException",
        client.get_shard_iterator,
        StreamName=name,
        ShardId="shardId-000000000000",
        ShardIteratorType="AFTER_SEQUENCE_NUMBER",
        StartingSequenceNumber="not a number",
    )


def test_kinesis_refuses_unknown_shard(emulator: Emulator) -> None:
    name, client = create_stream(emulator), emulator.client("kinesis")
    refused(
        "ResourceNotFoundException",
        client.get_shard_iterator,
        StreamName=name,
        ShardId="shardId-000000000009",
        ShardIteratorType="TRIM_HORIZON",
    )


def test_kinesis_refuses_limit_over_10_000_records(emulator: Emulator) -> None:
    name, client = create_stream(emulator), emulator.client("kinesis")
    iterator = client.get_shard_iterator(
        StreamName=name, ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    client.get_records(ShardIterator=iterator, Limit=10_000)
    refused("InvalidArgumentException", client.get_records, ShardIterator=iterator, Limit=10_001)
