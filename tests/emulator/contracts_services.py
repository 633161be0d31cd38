"""What the shims promise about streams, state machines and regions."""

import json
import time

import pytest
from botocore.exceptions import ClientError

from tests.emulator.running import Emulator, unique


def kinesis_housekeeping(emulator: Emulator) -> None:
    """A put costs no more in a stream that holds many records."""
    name = unique("full")
    streams = emulator.client("kinesis")
    streams.create_stream(StreamName=name, ShardCount=1)
    records = [{"Data": b"x", "PartitionKey": "x"}] * 500
    for _ in range(200):
        streams.put_records(StreamName=name, Records=records)
    started = time.perf_counter()
    for _ in range(50):
        streams.put_record(StreamName=name, Data=b"x", PartitionKey="x")
    # Looking at 100,000 records at each put took 6 ms and more.
    assert (time.perf_counter() - started) / 50 < 0.005


def execution_delay(emulator: Emulator) -> None:
    """An execution starts at once."""
    machines = emulator.client("stepfunctions")
    definition = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}
    role = emulator.client("iam").create_role(
        RoleName=unique("states"),
        AssumeRolePolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": "states.amazonaws.com"},
                        "Action": "sts:AssumeRole",
                    }
                ],
            }
        ),
    )["Role"]["Arn"]
    machine = machines.create_state_machine(
        name=unique("quick"), definition=json.dumps(definition), roleArn=role, type="EXPRESS"
    )["stateMachineArn"]
    durations = []
    for _ in range(5):
        started = time.perf_counter()
        machines.start_sync_execution(stateMachineArn=machine)
        durations.append(time.perf_counter() - started)
    # 150 ms of them were the delay.
    assert min(durations) < 0.1


def outage(emulator: Emulator) -> None:
    """A region that is down answers 503, the others go on, and it comes back."""
    name = unique("down")
    home, london = emulator.client("kinesis"), emulator.client("kinesis", "eu-west-2")
    for streams in (home, london):
        streams.create_stream(StreamName=name, ShardCount=1)
    assert emulator.local("outage?region=eu-west-2&on=1", "POST") == {"down": ["eu-west-2"]}
    try:
        with pytest.raises(ClientError) as caught:
            london.put_record(StreamName=name, Data=b"x", PartitionKey="x")
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
        home.put_record(StreamName=name, Data=b"x", PartitionKey="x")
    finally:
        assert emulator.local("outage?region=eu-west-2&on=0", "POST") == {"down": []}
    london.put_record(StreamName=name, Data=b"x", PartitionKey="x")
