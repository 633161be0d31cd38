"""Integration tests of the poller process against an emulator's APIs."""

import json
import re
import signal
import socket
import time
from pathlib import Path
from typing import Final

import pytest

from aws_emulator.event_sources.poller import MAX_REFUSED_S
from aws_emulator.tests.event_sources.deployment import Deployment
from aws_emulator.tests.ministack.running import running

pytestmark = pytest.mark.integration

REPORTING: Final = ["ReportBatchItemFailures"]


def test_records_are_delivered_in_order_and_in_batches(deployment: Deployment) -> None:
    arn = deployment.create_stream()
    deployment.map(arn, BatchSize=7)
    deployment.put([{"n": n} for n in range(50)])
    with deployment.poller() as poller:
        poller.drain(arn)
    assert deployment.numbers() == list(range(50))
    assert max(len(call["numbers"]) for call in deployment.calls()) == 7
    record = deployment.calls()[0]["first"]
    assert record["eventSource"] == "aws:kinesis"
    assert record["eventSourceARN"] == arn
    assert record["eventID"] == f"shardId-000000000000:{record['kinesis']['sequenceNumber']}"
    assert isinstance(record["kinesis"]["approximateArrivalTimestamp"], float)
    assert poller.process.returncode == 0


def test_batch_waits_for_the_batching_window(deployment: Deployment) -> None:
    arn = deployment.create_stream()
    deployment.map(arn, BatchSize=100, MaximumBatchingWindowInSeconds=4)
    with deployment.poller() as poller:
        deployment.put([{"n": -1}])  # warms the function up
        poller.drain(arn)
        for n in range(5):
            deployment.put([{"n": n}])
        poller.drain(arn)
    # Without the window, the first record would not wait for the others.
    assert [call["numbers"] for call in deployment.calls()] == [[-1], list(range(5))]


def test_reported_record_is_isolated_and_sent_to_queue(deployment: Deployment) -> None:
    arn = deployment.create_stream()
    url, queue = deployment.create_queue()
    uuid = deployment.map(
        arn,
        FunctionResponseTypes=REPORTING,
        BisectBatchOnFunctionError=True,
        MaximumRetryAttempts=1,
        DestinationConfig={"OnFailure": {"Destination": queue}},
    )
    deployment.put([{"n": n, **({"do": "report"} if n == 17 else {})} for n in range(30)])
    with deployment.poller() as poller:
        status = poller.drain(arn)
    (mapping,) = status["mappings"]
    assert (mapping["uuid"], mapping["delivered"], mapping["discarded"]) == (uuid, 29, 1)
    (message,) = deployment.messages(url)
    assert message["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert message["KinesisBatchInfo"]["batchSize"] == 1
    assert message["KinesisBatchInfo"]["streamArn"] == arn
    assert "payload" not in message
    batches = [call["numbers"] for call in deployment.calls()]
    assert batches[:2] == [list(range(10)), list(range(10, 20))]
    assert [17] in batches
    assert batches[-2:] == [[18, 19], list(range(20, 30))]


def test_batch_is_retried_when_function_raises(deployment: Deployment) -> None:
    arn = deployment.create_stream()
    deployment.map(arn, MaximumRetryAttempts=5)
    deployment.put([{"n": n, **({"do": "raise", "times": 2} if n == 3 else {})} for n in range(5)])
    with deployment.poller() as poller:
        poller.drain(arn)
    assert [call["numbers"] for call in deployment.calls()] == [list(range(5))] * 3
    assert [call["failed"] for call in deployment.calls()] == [True, True, False]
    errors = poller.log("invoke_failed")
    assert [entry["error_type"] for entry in errors] == ["ValueError"] * 2
    assert "requested failure" not in json.dumps(errors)


def test_s3_destination_gets_invocation_record_with_event(deployment: Deployment) -> None:
    arn = deployment.create_stream()
    bucket = f"{deployment.name}-discards"
    deployment.s3.create_bucket(Bucket=bucket)
    uuid = deployment.map(
        arn,
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": f"arn:aws:s3:::{bucket}"}},
    )
    deployment.put([{"n": n, **({"do": "raise"} if n == 1 else {})} for n in range(3)])
    with deployment.poller() as poller:
        poller.drain(arn)
    (entry,) = deployment.s3.list_objects_v2(Bucket=bucket)["Contents"]
    day = time.strftime("%Y/%m/%d", time.gmtime())
    assert entry["Key"].startswith(f"aws/lambda/{uuid}/shardId-000000000000/{day}/20")
    document = json.loads(deployment.s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read())
    assert document["KinesisBatchInfo"]["batchSize"] == 3
    event = json.loads(document["payload"])
    assert event["Records"][0] == deployment.calls()[0]["first"]
    assert len(event["Records"]) == 3


def test_sns_destination_gets_metadata(deployment: Deployment) -> None:
    arn = deployment.create_stream()
    url, queue = deployment.create_queue()
    topic = deployment.sns.create_topic(Name=deployment.name)["TopicArn"]
    deployment.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    deployment.map(
        arn,
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": topic}},
    )
    deployment.put([{"n": 0, "do": "raise"}])
    with deployment.poller() as poller:
        poller.drain(arn)
    (envelope,) = deployment.messages(url)
    assert json.loads(envelope["Message"])["KinesisBatchInfo"]["batchSize"] == 1


def test_filtered_records_are_skipped(deployment: Deployment) -> None:
    arn = deployment.create_stream()
    pattern = json.dumps({"data": {"n": [{"numeric": [">=", 3]}]}})
    deployment.map(arn, FilterCriteria={"Filters": [{"Pattern": pattern}]})
    deployment.put([{"n": n} for n in range(6)])
    with deployment.poller() as poller:
        (mapping,) = poller.drain(arn)["mappings"]
    assert (mapping["filtered"], mapping["delivered"]) == (3, 3)
    assert deployment.numbers() == [3, 4, 5]


def test_table_changes_are_delivered_in_order(deployment: Deployment) -> None:
    arn = deployment.create_table()
    deployment.map(arn, FunctionResponseTypes=REPORTING)
    for n in range(4):
        deployment.dynamodb.put_item(
            TableName=deployment.name,
            Item={"id": {"S": f"i{n % 2}"}, "n": {"N": str(n)}, "blob": {"B": b"\x00\xff"}},
        )
    deployment.dynamodb.delete_item(TableName=deployment.name, Key={"id": {"S": "i0"}})
    with deployment.poller() as poller:
        poller.drain(arn)
    assert deployment.numbers() == [0, 1, 2, 3, 2]
    record = deployment.calls()[0]["first"]
    assert record["eventName"] == "INSERT"
    assert record["eventSourceARN"] == arn
    assert record["dynamodb"]["NewImage"]["blob"] == {"B": "AP8="}
    assert record["dynamodb"]["Keys"] == {"id": {"S": "i0"}}
    assert record["dynamodb"]["ApproximateCreationDateTime"] > 1.7e9


def test_tumbling_window_keeps_state_over_invocations_and_restarts(
    deployment: Deployment,
) -> None:
    arn = deployment.create_table()
    deployment.map(
        arn,
        BatchSize=2,
        TumblingWindowInSeconds=3,
        FunctionResponseTypes=REPORTING,
        BisectBatchOnFunctionError=True,
    )

    def write(n: int) -> None:
        deployment.dynamodb.put_item(
            TableName=deployment.name, Item={"id": {"S": "i"}, "n": {"N": str(n)}}
        )

    with deployment.poller() as poller:
        poller.drain(arn)
        time.sleep(3 - time.time() % 3 + 0.1)  # start of a window
        for n in range(3):
            write(n)
        poller.drain(arn)
    with deployment.poller() as poller:
        poller.drain(arn)
        poller.until(lambda _: any(call["isFinalInvokeForWindow"] for call in deployment.calls()))
        write(3)
        poller.drain(arn)
    calls = deployment.calls()
    final = next(call for call in calls if call["isFinalInvokeForWindow"])
    assert final["numbers"] == []
    assert final["state"] == {"count": 3}
    assert final["shardId"].startswith("shardId-")
    assert final["eventSourceARN"] == arn
    (last,) = [call for call in calls if call["numbers"] == [3]]
    assert last["state"] == {}
    assert last["window"]["start"] >= final["window"]["end"]
    assert deployment.numbers() == [0, 1, 2, 3]


def test_parallelization_factor_runs_batches_concurrently(deployment: Deployment) -> None:
    arn = deployment.create_stream()
    deployment.map(arn, BatchSize=1, ParallelizationFactor=4)
    deployment.put([{"n": n, "key": f"key-{n}", "do": "meet"} for n in range(12)])
    with deployment.poller() as poller:
        poller.drain(arn)
    assert sorted(deployment.numbers()) == list(range(12))


def test_killed_poller_resumes_from_checkpoint(deployment: Deployment) -> None:
    arn = deployment.create_stream()
    deployment.map(arn, BatchSize=10)
    deployment.put([{"n": n} for n in range(100)])
    with deployment.poller(kill=True) as poller:
        poller.drain(arn)
        time.sleep(0.3)  # longer than WRITE_INTERVAL_S
    deployment.put([{"n": n} for n in range(100, 120)])
    with deployment.poller() as poller:
        poller.drain(arn)
    assert deployment.numbers() == list(range(120))


def test_poller_killed_while_processing_loses_no_record(deployment: Deployment) -> None:
    arn = deployment.create_stream()
    deployment.map(arn, BatchSize=5)
    deployment.put([{"n": n} for n in range(300)])
    for _ in range(3):
        with deployment.poller(kill=True) as poller:
            before = len(deployment.calls())
            poller.until(lambda status, b=before: len(deployment.calls()) > b + 3)  # type: ignore[misc]
    with deployment.poller() as poller:
        poller.drain(arn)
    numbers = deployment.numbers()
    assert set(numbers) == set(range(300))
    first_times = list(dict.fromkeys(numbers))
    assert first_times == list(range(300))


def test_poller_follows_created_disabled_and_deleted_mappings(deployment: Deployment) -> None:
    arn = deployment.create_stream()
    deployment.put([{"n": n} for n in range(5)])
    with deployment.poller() as poller:
        poller.until(lambda status: status["mappings"] == [])
        first = deployment.map(arn)
        poller.drain(arn)
        assert deployment.numbers() == list(range(5))
        deployment.functions.update_event_source_mapping(UUID=first, Enabled=False)
        poller.until(lambda status: status["mappings"] == [])
        deployment.put([{"n": 5}])
        time.sleep(1)
        assert deployment.numbers() == list(range(5))
        deployment.functions.update_event_source_mapping(UUID=first, Enabled=True)
        poller.drain(arn)
        assert deployment.numbers() == list(range(6))
        deployment.functions.delete_event_source_mapping(UUID=first)
        second = deployment.map(arn)
        poller.until(lambda status: [m["uuid"] for m in status["mappings"]] == [second])
        poller.drain(arn)
        assert deployment.numbers() == [*range(6), *range(6)]
        deployment.functions.delete_event_source_mapping(UUID=second)
        deployment.map(arn, StartingPosition="LATEST")
        poller.drain(arn)
        deployment.put([{"n": 6}])
        poller.drain(arn)
    assert deployment.numbers() == [*range(6), *range(6), 6]


def test_split_and_merged_shards_are_read_parents_first(deployment: Deployment) -> None:
    arn = deployment.create_stream()
    deployment.map(arn, BatchSize=50)
    with deployment.poller() as poller:
        deployment.put([{"n": n, "key": str(n)} for n in range(40)])
        poller.drain(arn)
        deployment.kinesis.split_shard(
            StreamName=deployment.name,
            ShardToSplit="shardId-000000000000",
            NewStartingHashKey=str(2**127),
        )
        deployment.put([{"n": n, "key": str(n)} for n in range(40, 80)])
        poller.drain(arn)
        deployment.kinesis.merge_shards(
            StreamName=deployment.name,
            ShardToMerge="shardId-000000000001",
            AdjacentShardToMerge="shardId-000000000002",
        )
        deployment.put([{"n": n, "key": str(n)} for n in range(80, 120)])
        poller.drain(arn)
    numbers = deployment.numbers()
    assert sorted(numbers) == list(range(120))
    assert sorted(numbers[:40]) == list(range(40))
    assert sorted(numbers[80:]) == list(range(80, 120))
    assert numbers[80:] == list(range(80, 120))


def test_throttled_function_is_retried_until_it_has_concurrency(deployment: Deployment) -> None:
    arn = deployment.create_stream()
    deployment.functions.put_function_concurrency(
        FunctionName=deployment.name, ReservedConcurrentExecutions=0
    )
    deployment.map(arn, MaximumRetryAttempts=0)
    deployment.put([{"n": n} for n in range(3)])
    with deployment.poller() as poller:
        poller.until(lambda status: status["mappings"] and status["mappings"][0]["failures"] >= 3)
        assert deployment.calls() == []
        deployment.functions.put_function_concurrency(
            FunctionName=deployment.name, ReservedConcurrentExecutions=10
        )
        poller.drain(arn)
    assert deployment.numbers() == [0, 1, 2]
    assert {entry["kind"] for entry in poller.log("invoke_failed")} == {"not_invoked"}
    assert {entry["error"] for entry in poller.log("invoke_failed")} == {"TooManyRequestsException"}


def test_poller_resumes_after_region_outage(deployment: Deployment) -> None:
    arn = deployment.create_stream()
    deployment.map(arn, BatchSize=10)
    with deployment.poller() as poller:
        poller.drain(arn)
        deployment.put([{"n": n} for n in range(100)])
        deployment.emulator.local(f"outage?region={deployment.region}&on=1", method="POST")
        time.sleep(2)
        deployment.emulator.local(f"outage?region={deployment.region}&on=0", method="POST")
        poller.drain(arn)
    assert list(dict.fromkeys(deployment.numbers())) == list(range(100))


def test_batch_is_retried_when_function_times_out(deployment: Deployment) -> None:
    deployment.functions.update_function_configuration(FunctionName=deployment.name, Timeout=1)
    arn = deployment.create_stream()
    url, queue = deployment.create_queue()
    deployment.map(
        arn,
        MaximumRetryAttempts=1,
        DestinationConfig={"OnFailure": {"Destination": queue}},
    )
    deployment.put([{"n": 0, "do": "sleep", "seconds": 3}, {"n": 1}])
    with deployment.poller() as poller:
        poller.drain(arn)
    (message,) = deployment.messages(url)
    assert message["requestContext"]["approximateInvokeCount"] == 2
    assert message["responseContext"]["functionError"] == "Unhandled"


def test_sigterm_waits_for_running_invocation(deployment: Deployment) -> None:
    arn = deployment.create_stream()
    deployment.map(arn, BatchSize=1)
    deployment.put([{"n": 0, "do": "sleep", "seconds": 5}, {"n": 1}])
    with deployment.poller() as poller:
        poller.until(
            lambda status: any(s["in_flight"] for m in status["mappings"] for s in m["shards"])
        )
        assert poller.end(signal.SIGTERM) == 0
    assert deployment.numbers() == [0]
    with deployment.poller() as poller:
        poller.drain(arn)
    assert deployment.numbers() == [0, 1]


def test_poller_exits_when_endpoint_goes_down(tmp_path: Path, deployment: Deployment) -> None:
    with running(tmp_path / "emulator") as emulator:
        own = Deployment(emulator, tmp_path / "own")
        own.create_function()
        arn = own.create_stream()
        own.map(arn)
        with own.poller() as poller:
            own.put([{"n": 0}])
            poller.drain(arn)
            emulator.process.kill()
            assert poller.process.wait(timeout=60) == 1
        (line,) = poller.errors().splitlines()
        silent = re.search(r"The endpoint has not answered for (\d+) seconds", line)
        assert silent
        assert int(silent[1]) >= MAX_REFUSED_S


def test_poller_exits_when_endpoint_never_answers(tmp_path: Path, deployment: Deployment) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    with deployment.poller(endpoint=f"http://127.0.0.1:{port}") as poller:
        assert poller.process.wait(timeout=60) == 1
    (line,) = poller.errors().splitlines()
    assert "has not answered" in line
