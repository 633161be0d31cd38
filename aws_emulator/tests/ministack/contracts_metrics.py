"""Contracts of the patch for the metrics of services."""

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from aws_emulator.tests.ministack.running import Emulator, unique
from aws_emulator.tests.waiting import wait_until


def total(emulator: Emulator, namespace: str, name: str, **dimensions: str) -> float:
    """Return the sum of a metric's values in the last hour."""
    named = [{"Name": key, "Value": value} for key, value in dimensions.items()]
    metric = {"Namespace": namespace, "MetricName": name, "Dimensions": named}
    query = {"Id": "m", "MetricStat": {"Metric": metric, "Period": 3600, "Stat": "Sum"}}
    now = datetime.now(UTC)
    answer = emulator.client("cloudwatch").get_metric_data(
        MetricDataQueries=[query], StartTime=now - timedelta(hours=1), EndTime=now + timedelta(1)
    )
    return float(sum(answer["MetricDataResults"][0]["Values"]))


def service_metrics(emulator: Emulator) -> None:
    """Records, executions, log lines and other servers have the metrics of AWS."""
    _stored_records(emulator)
    _executions(emulator)
    _log_lines(emulator)
    _emails(emulator)
    _other_servers(emulator)


def _stored_records(emulator: Emulator) -> None:
    kinesis, name = emulator.client("kinesis"), unique("stream")
    kinesis.create_stream(StreamName=name, ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName=name)
    records = [{"Data": b"12345", "PartitionKey": "key"} for _ in range(3)]
    kinesis.put_records(StreamName=name, Records=records)
    kinesis.put_record(StreamName=name, Data=b"1", PartitionKey="k")
    assert total(emulator, "AWS/Kinesis", "IncomingRecords", StreamName=name) == 4
    assert total(emulator, "AWS/Kinesis", "IncomingBytes", StreamName=name) == 3 * 8 + 2


def _executions(emulator: Emulator) -> None:
    states = emulator.client("stepfunctions")
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "states.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    role = emulator.client("iam").create_role(
        RoleName=unique("role"),
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )["Role"]["Arn"]
    machines = []
    for state in ({"Type": "Succeed"}, {"Type": "Fail", "Error": "Failed"}):
        definition = {"StartAt": "Only", "States": {"Only": state}}
        created = states.create_state_machine(
            name=unique("machine"),
            definition=json.dumps(definition),
            roleArn=role,
        )
        machines.append(created["stateMachineArn"])
        states.start_execution(stateMachineArn=machines[-1])
    expected = (("ExecutionsSucceeded", machines[0]), ("ExecutionsFailed", machines[1]))

    def counted() -> bool:
        ends = [total(emulator, "AWS/States", it, StateMachineArn=arn) for it, arn in expected]
        return ends == [1, 1]

    wait_until(counted, "the metrics of both executions")
    for machine in machines:
        assert total(emulator, "AWS/States", "ExecutionsStarted", StateMachineArn=machine) == 1


def _log_lines(emulator: Emulator) -> None:
    logs, name = emulator.client("logs"), unique("group")
    logs.create_log_group(logGroupName=name)
    logs.create_log_stream(logGroupName=name, logStreamName="stream")
    transformation: dict[str, Any] = {
        "metricNamespace": name,
        "metricName": "Waiting",
        "metricValue": "$.waiting",
    }
    logs.put_metric_filter(
        logGroupName=name,
        filterName="filter",
        filterPattern='{ $.message = "parked" && $.waiting >= 1 }',
        metricTransformations=[transformation],
    )
    now_ms = round(time.time() * 1000)
    directive = {
        "Namespace": name,
        "Dimensions": [["service"]],
        "Metrics": [{"Name": "Rows", "Unit": "Count"}],
    }
    metadata = {"Timestamp": now_ms, "CloudWatchMetrics": [directive]}
    lines: list[Any] = [
        {"_aws": metadata, "service": "events", "Rows": [2, 3]},
        {"message": "parked", "waiting": 7},
        {"message": "parked", "waiting": 0},
        {"message": "other", "waiting": 9},
    ]
    logs.put_log_events(
        logGroupName=name,
        logStreamName="stream",
        logEvents=[{"timestamp": now_ms, "message": json.dumps(it)} for it in lines],
    )
    assert total(emulator, name, "Rows", service="events") == 5
    assert total(emulator, name, "Waiting") == 7


def _emails(emulator: Emulator) -> None:
    ses, sender = emulator.client("sesv2"), f"{unique('sender')}@app.example"
    names = ("Send", "Delivery", "Bounce", "Complaint")
    before = {name: total(emulator, "AWS/SES", name) for name in names}
    recipient = f"{unique('recipient')}@app.example"
    for address in (sender, recipient):
        ses.create_email_identity(EmailIdentity=address)
    for one in (recipient, "bounce+a@simulator.amazonses.com"):
        ses.send_email(
            FromEmailAddress=sender,
            Destination={"ToAddresses": [one]},
            Content={"Simple": {"Subject": {"Data": "x"}, "Body": {"Text": {"Data": "x"}}}},
        )
    grown = {name: total(emulator, "AWS/SES", name) - before[name] for name in names}
    assert grown["Send"] >= 2
    assert grown["Delivery"] >= 1
    assert grown["Bounce"] >= 1


def _other_servers(emulator: Emulator) -> None:
    name = unique("api")
    one = {
        "region": "us-east-1",
        "namespace": "AWS/ApiGateway",
        "name": "Count",
        "values": [1],
        "unit": "Count",
        "dimensions": {"ApiName": name},
        "time_s": time.time(),
    }
    emulator.local("metrics", "POST", [one, one])
    assert total(emulator, "AWS/ApiGateway", "Count", ApiName=name) == 2
