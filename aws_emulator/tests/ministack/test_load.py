"""Twenty concurrent clients, and bounded memory."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil

from aws_emulator.tests.ministack.contracts_functions import invoke
from aws_emulator.tests.ministack.running import Emulator, unique
from aws_emulator.tests.ministack.templates import ROLE, function, stack

CLIENTS = 20
ROUNDS = 10


def _deployed(emulator: Emulator) -> str:
    """Deploy a stream, a table, a bucket and a function with the returned name."""
    name = unique("busy")
    key = {"AttributeName": "id", "AttributeType": "S"}
    table = {
        "Type": "AWS::DynamoDB::Table",
        "Properties": {
            "TableName": name,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [key],
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        },
    }
    emulator.deploy(
        stack(
            Role=ROLE,
            Stream={"Type": "AWS::Kinesis::Stream", "Properties": {"Name": name, "ShardCount": 2}},
            Table=table,
            Bucket={"Type": "AWS::S3::Bucket", "Properties": {"BucketName": name}},
            Busy=function(name, "def handler(event, context):\n    return event['number']\n"),
        ),
        name,
    )
    return name


def _work(emulator: Emulator, name: str, client: int) -> list[Any]:
    """Make one client's calls; return the results of its invocations."""
    streams, tables = emulator.client("kinesis"), emulator.client("dynamodb")
    storage, functions = emulator.client("s3"), emulator.client("lambda")
    numbers = []
    for number in range(client * ROUNDS, (client + 1) * ROUNDS):
        records = [{"Data": b"%d" % number, "PartitionKey": str(number)}] * 10
        assert streams.put_records(StreamName=name, Records=records)["FailedRecordCount"] == 0
        tables.put_item(TableName=name, Item={"id": {"S": str(number)}})
        storage.put_object(Bucket=name, Key=str(number), Body=b"x", IfNoneMatch="*")
        payload = json.dumps({"number": number}).encode()
        answer = functions.invoke(FunctionName=name, Payload=payload)
        numbers.append(json.load(answer["Payload"]))
    return numbers


def _stream(emulator: Emulator, name: str) -> Iterator[bytes]:
    """Yield every record of the stream."""
    streams = emulator.client("kinesis")
    for shard in streams.list_shards(StreamName=name)["Shards"]:
        where = streams.get_shard_iterator(
            StreamName=name, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while records := (answer := streams.get_records(ShardIterator=where))["Records"]:
            yield from (record["Data"] for record in records)
            where = answer["NextShardIterator"]


def test_twenty_concurrent_clients_lose_no_write(emulator: Emulator) -> None:
    name = _deployed(emulator)
    with ThreadPoolExecutor(CLIENTS) as clients:
        done = clients.map(lambda client: _work(emulator, name, client), range(CLIENTS))
        numbers = [number for batch in done for number in batch]
    expected = list(range(CLIENTS * ROUNDS))
    assert numbers == expected
    assert sorted(map(int, _stream(emulator, name))) == sorted(expected * 10)
    storage = emulator.client("s3")
    assert storage.list_objects_v2(Bucket=name)["KeyCount"] == len(expected)
    assert emulator.client("dynamodb").scan(TableName=name, Select="COUNT")["Count"] == len(
        expected
    )


def test_invocations_do_not_grow_memory_or_threads(emulator: Emulator) -> None:
    name = unique("repeated")
    code = "def handler(event, context):\n    print('x' * 1000)\n"
    emulator.deploy(stack(Role=ROLE, Repeated=function(name, code)), name)
    process = psutil.Process(emulator.process.pid)

    def run(times: int) -> int:
        for _ in range(times):
            invoke(emulator, name, {})
        return process.memory_info().rss

    # The log stream is full after about 1,400 invocations.
    before = run(1_500)
    threads = process.num_threads()
    growth = run(500) - before
    assert growth < 3_000_000
    assert process.num_threads() <= threads + 4
