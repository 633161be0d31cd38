"""The poller as a process, on an emulator: every rule once more through the real APIs."""

import json
import signal
import socket
import time
from pathlib import Path

import pytest

from aws_emulator.tests.event_sources.system import System
from aws_emulator.tests.ministack.running import running

pytestmark = pytest.mark.integration

REPORTING = ["ReportBatchItemFailures"]


def test_records_arrive_in_order_and_in_batches(system: System) -> None:
    arn = system.create_stream()
    system.map(arn, BatchSize=7)
    system.put([{"n": n} for n in range(50)])
    with system.poller() as polling:
        polling.drain(arn)
    assert system.numbers() == list(range(50))
    assert max(len(call["numbers"]) for call in system.calls()) == 7
    record = system.calls()[0]["first"]
    assert record["eventSource"] == "aws:kinesis"
    assert record["eventSourceARN"] == arn
    assert record["eventID"] == f"shardId-000000000000:{record['kinesis']['sequenceNumber']}"
    assert isinstance(record["kinesis"]["approximateArrivalTimestamp"], float)
    assert polling.process.returncode == 0


def test_a_batching_window_is_kept_and_no_longer(system: System) -> None:
    arn = system.create_stream()
    system.map(arn, BatchSize=100, MaximumBatchingWindowInSeconds=1)
    with system.poller() as polling:
        system.put([{"n": -1}])  # the function's cold start
        polling.drain(arn)
        time.sleep(1.1)
        put = time.time()
        for n in range(5):
            system.put([{"n": n}])
        polling.drain(arn)
    call = system.calls()[-1]
    assert call["numbers"] == list(range(5))
    assert 0.95 <= call["began"] - put < 2.0


def test_a_reported_record_is_isolated_and_its_metadata_kept(system: System) -> None:
    arn = system.create_stream()
    url, queue = system.create_queue()
    uuid = system.map(
        arn,
        FunctionResponseTypes=REPORTING,
        BisectBatchOnFunctionError=True,
        MaximumRetryAttempts=1,
        DestinationConfig={"OnFailure": {"Destination": queue}},
    )
    system.put([{"n": n, **({"do": "report"} if n == 17 else {})} for n in range(30)])
    with system.poller() as polling:
        status = polling.drain(arn)
    (mapping,) = status["mappings"]
    assert (mapping["uuid"], mapping["delivered"], mapping["discarded"]) == (uuid, 29, 1)
    (message,) = system.messages(url)
    assert message["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert message["KinesisBatchInfo"]["batchSize"] == 1
    assert message["KinesisBatchInfo"]["streamArn"] == arn
    assert "payload" not in message
    batches = [call["numbers"] for call in system.calls()]
    assert batches[:2] == [list(range(10)), list(range(10, 20))]
    assert [17] in batches
    assert batches[-2:] == [[18, 19], list(range(20, 30))]


def test_a_function_that_raises_is_retried_as_a_whole(system: System) -> None:
    arn = system.create_stream()
    system.map(arn, MaximumRetryAttempts=5)
    system.put([{"n": n, **({"do": "raise", "times": 2} if n == 3 else {})} for n in range(5)])
    with system.poller() as polling:
        polling.drain(arn)
    assert [call["numbers"] for call in system.calls()] == [list(range(5))] * 3
    assert [call["failed"] for call in system.calls()] == [True, True, False]
    errors = polling.log("invoke_failed")
    assert [entry["error_type"] for entry in errors] == ["ValueError"] * 2
    assert "told to" not in json.dumps(errors)


def test_a_bucket_gets_the_whole_event(system: System) -> None:
    arn = system.create_stream()
    bucket = f"{system.name}-discards"
    system.s3.create_bucket(Bucket=bucket)
    uuid = system.map(
        arn,
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": f"arn:aws:s3:::{bucket}"}},
    )
    system.put([{"n": n, **({"do": "raise"} if n == 1 else {})} for n in range(3)])
    with system.poller() as polling:
        polling.drain(arn)
    (entry,) = system.s3.list_objects_v2(Bucket=bucket)["Contents"]
    day = time.strftime("%Y/%m/%d", time.gmtime())
    assert entry["Key"].startswith(f"aws/lambda/{uuid}/shardId-000000000000/{day}/20")
    document = json.loads(system.s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read())
    assert document["KinesisBatchInfo"]["batchSize"] == 3
    event = json.loads(document["payload"])
    assert event["Records"][0] == system.calls()[0]["first"]
    assert len(event["Records"]) == 3


def test_a_topic_gets_the_metadata(system: System) -> None:
    arn = system.create_stream()
    url, queue = system.create_queue()
    topic = system.sns.create_topic(Name=system.name)["TopicArn"]
    system.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    system.map(
        arn,
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": topic}},
    )
    system.put([{"n": 0, "do": "raise"}])
    with system.poller() as polling:
        polling.drain(arn)
    (envelope,) = system.messages(url)
    assert json.loads(envelope["Message"])["KinesisBatchInfo"]["batchSize"] == 1


def test_filtered_records_are_passed_over_in_silence(system: System) -> None:
    arn = system.create_stream()
    pattern = json.dumps({"data": {"n": [{"numeric": [">=", 3]}]}})
    system.map(arn, FilterCriteria={"Filters": [{"Pattern": pattern}]})
    system.put([{"n": n} for n in range(6)])
    with system.poller() as polling:
        (mapping,) = polling.drain(arn)["mappings"]
    assert (mapping["filtered"], mapping["delivered"]) == (3, 3)
    assert system.numbers() == [3, 4, 5]


def test_changes_of_a_table(system: System) -> None:
    arn = system.create_table()
    system.map(arn, FunctionResponseTypes=REPORTING)
    for n in range(4):
        system.dynamodb.put_item(
            TableName=system.name,
            Item={"id": {"S": f"i{n % 2}"}, "n": {"N": str(n)}, "blob": {"B": b"\x00\xff"}},
        )
    system.dynamodb.delete_item(TableName=system.name, Key={"id": {"S": "i0"}})
    with system.poller() as polling:
        polling.drain(arn)
    assert system.numbers() == [0, 1, 2, 3, 2]
    record = system.calls()[0]["first"]
    assert record["eventName"] == "INSERT"
    assert record["eventSourceARN"] == arn
    assert record["dynamodb"]["NewImage"]["blob"] == {"B": "AP8="}
    assert record["dynamodb"]["Keys"] == {"id": {"S": "i0"}}
    assert record["dynamodb"]["ApproximateCreationDateTime"] > 1.7e9


def test_a_tumbling_window_of_a_table_counts_over_calls_and_restarts(system: System) -> None:
    arn = system.create_table()
    system.map(
        arn,
        BatchSize=2,
        TumblingWindowInSeconds=3,
        FunctionResponseTypes=REPORTING,
        BisectBatchOnFunctionError=True,
    )

    def write(n: int) -> None:
        system.dynamodb.put_item(TableName=system.name, Item={"id": {"S": "i"}, "n": {"N": str(n)}})

    with system.poller() as polling:
        polling.drain(arn)
        time.sleep(3 - time.time() % 3 + 0.1)  # the beginning of a window
        for n in range(3):
            write(n)
        polling.drain(arn)
    with system.poller() as polling:
        polling.drain(arn)
        polling.until(lambda _: any(call["isFinalInvokeForWindow"] for call in system.calls()))
        write(3)
        polling.drain(arn)
    calls = system.calls()
    final = next(call for call in calls if call["isFinalInvokeForWindow"])
    assert final["numbers"] == []
    assert final["state"] == {"count": 3}
    assert final["shardId"].startswith("shardId-")
    assert final["eventSourceARN"] == arn
    (last,) = [call for call in calls if call["numbers"] == [3]]
    assert last["state"] == {}
    assert last["window"]["start"] >= final["window"]["end"]
    assert system.numbers() == [0, 1, 2, 3]


def test_lanes_of_a_shard_work_at_the_same_time(system: System) -> None:
    arn = system.create_stream()
    system.map(arn, BatchSize=1, ParallelizationFactor=4)
    system.put([{"n": n, "key": f"key-{n}", "do": "sleep", "seconds": 0.5} for n in range(12)])
    with system.poller() as polling:
        polling.drain(arn)
    calls = system.calls()
    assert sorted(system.numbers()) == list(range(12))
    most = max(sum(c["began"] <= at["began"] < c["ended"] for c in calls) for at in calls)
    assert 2 <= most <= 4


def test_a_killed_poller_goes_on_where_it_was(system: System) -> None:
    arn = system.create_stream()
    system.map(arn, BatchSize=10)
    system.put([{"n": n} for n in range(100)])
    with system.poller(kill=True) as polling:
        polling.drain(arn)
        time.sleep(0.3)  # the checkpoint is written within a tenth of a second
    system.put([{"n": n} for n in range(100, 120)])
    with system.poller() as polling:
        polling.drain(arn)
    assert system.numbers() == list(range(120))


def test_a_poller_killed_in_the_middle_loses_nothing(system: System) -> None:
    arn = system.create_stream()
    system.map(arn, BatchSize=5)
    system.put([{"n": n} for n in range(300)])
    for _ in range(3):
        with system.poller(kill=True) as polling:
            before = len(system.calls())
            polling.until(lambda status, b=before: len(system.calls()) > b + 3)  # type: ignore[misc]
    with system.poller() as polling:
        polling.drain(arn)
    numbers = system.numbers()
    assert set(numbers) == set(range(300))
    first_times = list(dict.fromkeys(numbers))
    assert first_times == list(range(300))


def test_mappings_that_come_and_go(system: System) -> None:
    arn = system.create_stream()
    system.put([{"n": n} for n in range(5)])
    with system.poller() as polling:
        polling.until(lambda status: status["mappings"] == [])
        first = system.map(arn)
        polling.drain(arn)
        assert system.numbers() == list(range(5))
        system.functions.update_event_source_mapping(UUID=first, Enabled=False)
        polling.until(lambda status: status["mappings"] == [], seconds=2)
        system.put([{"n": 5}])
        time.sleep(1)
        assert system.numbers() == list(range(5))
        system.functions.update_event_source_mapping(UUID=first, Enabled=True)
        polling.drain(arn)
        assert system.numbers() == list(range(6))
        system.functions.delete_event_source_mapping(UUID=first)
        second = system.map(arn)
        polling.until(lambda status: [m["uuid"] for m in status["mappings"]] == [second])
        polling.drain(arn)
        assert system.numbers() == [*range(6), *range(6)]
        system.functions.delete_event_source_mapping(UUID=second)
        system.map(arn, StartingPosition="LATEST")
        polling.drain(arn)
        system.put([{"n": 6}])
        polling.drain(arn)
    assert system.numbers() == [*range(6), *range(6), 6]


def test_a_split_and_a_merge_are_read_parent_first(system: System) -> None:
    arn = system.create_stream()
    system.map(arn, BatchSize=50)
    with system.poller() as polling:
        system.put([{"n": n, "key": str(n)} for n in range(40)])
        polling.drain(arn)
        system.kinesis.split_shard(
            StreamName=system.name,
            ShardToSplit="shardId-000000000000",
            NewStartingHashKey=str(2**127),
        )
        system.put([{"n": n, "key": str(n)} for n in range(40, 80)])
        polling.drain(arn)
        system.kinesis.merge_shards(
            StreamName=system.name,
            ShardToMerge="shardId-000000000001",
            AdjacentShardToMerge="shardId-000000000002",
        )
        system.put([{"n": n, "key": str(n)} for n in range(80, 120)])
        polling.drain(arn)
    numbers = system.numbers()
    assert sorted(numbers) == list(range(120))
    assert sorted(numbers[:40]) == list(range(40))
    assert sorted(numbers[80:]) == list(range(80, 120))
    assert numbers[80:] == list(range(80, 120))


def test_a_throttled_function_is_tried_until_it_has_room(system: System) -> None:
    arn = system.create_stream()
    system.functions.put_function_concurrency(
        FunctionName=system.name, ReservedConcurrentExecutions=0
    )
    system.map(arn, MaximumRetryAttempts=0)
    system.put([{"n": n} for n in range(3)])
    with system.poller() as polling:
        polling.until(lambda status: status["mappings"] and status["mappings"][0]["failures"] >= 3)
        assert system.calls() == []
        system.functions.put_function_concurrency(
            FunctionName=system.name, ReservedConcurrentExecutions=10
        )
        polling.drain(arn)
    assert system.numbers() == [0, 1, 2]
    assert {entry["kind"] for entry in polling.log("invoke_failed")} == {"not_invoked"}
    assert {entry["error"] for entry in polling.log("invoke_failed")} == {
        "TooManyRequestsException"
    }


def test_a_region_that_is_out_is_waited_for(system: System) -> None:
    arn = system.create_stream()
    system.map(arn, BatchSize=10)
    with system.poller() as polling:
        polling.drain(arn)
        system.put([{"n": n} for n in range(100)])
        system.emulator.local(f"outage?region={system.region}&on=1", method="POST")
        time.sleep(2)
        system.emulator.local(f"outage?region={system.region}&on=0", method="POST")
        polling.drain(arn)
    assert list(dict.fromkeys(system.numbers())) == list(range(100))


def test_a_function_that_times_out_is_retried(system: System) -> None:
    system.functions.update_function_configuration(FunctionName=system.name, Timeout=1)
    arn = system.create_stream()
    url, queue = system.create_queue()
    system.map(
        arn,
        MaximumRetryAttempts=1,
        DestinationConfig={"OnFailure": {"Destination": queue}},
    )
    system.put([{"n": 0, "do": "sleep", "seconds": 3}, {"n": 1}])
    with system.poller() as polling:
        polling.drain(arn)
    (message,) = system.messages(url)
    assert message["requestContext"]["approximateInvokeCount"] == 2
    assert message["responseContext"]["functionError"] == "Unhandled"


def test_sigterm_waits_for_the_call_under_way(system: System) -> None:
    arn = system.create_stream()
    system.map(arn, BatchSize=1)
    system.put([{"n": 0, "do": "sleep", "seconds": 1.5}, {"n": 1}])
    with system.poller() as polling:
        polling.until(
            lambda status: any(s["in_flight"] for m in status["mappings"] for s in m["shards"])
        )
        time.sleep(0.7)
        assert polling.end(signal.SIGTERM) == 0
    assert system.numbers() == [0]
    with system.poller() as polling:
        polling.drain(arn)
    assert system.numbers() == [0, 1]


def test_a_dead_emulator_ends_in_one_sentence(tmp_path: Path, system: System) -> None:
    with running(tmp_path / "emulator") as emulator:
        own = System(emulator, tmp_path / "own")
        own.create_function()
        arn = own.create_stream()
        own.map(arn)
        with own.poller() as polling:
            own.put([{"n": 0}])
            polling.drain(arn)
            killed = time.time()
            emulator.process.kill()
            assert polling.process.wait(timeout=20) == 1
            assert 9 <= time.time() - killed < 15
        (line,) = polling.errors().splitlines()
        assert line.startswith("poller: The poller stops: the emulator has not answered for")


def test_nobody_there_from_the_beginning(tmp_path: Path, system: System) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    with system.poller(endpoint=f"http://127.0.0.1:{port}") as polling:
        assert polling.process.wait(timeout=20) == 1
    (line,) = polling.errors().splitlines()
    assert "has not answered" in line
