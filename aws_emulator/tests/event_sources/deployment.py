"""A stream and a recording function on the emulator, and a poller process beside it."""

import io
import json
import os
import signal
import subprocess
import sys
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from aws_emulator.event_sources.status import drained, read_status
from aws_emulator.tests.ministack.running import Emulator
from aws_emulator.tests.waiting import wait_until

ROOT: Final = Path(__file__).resolve().parents[3]
REGION: Final = "us-east-1"


class Deployment:
    """One stream or table with one function. Unique names let tests share an emulator."""

    def __init__(self, emulator: Emulator, state: Path, region: str = REGION) -> None:
        self.emulator = emulator
        self.state = state
        self.region = region
        self.name = f"poller-{uuid.uuid4().hex[:8]}"
        for service in ("lambda", "kinesis", "dynamodb", "s3", "sqs", "sns", "iam"):
            setattr(self, service.replace("lambda", "functions"), emulator.client(service, region))

    functions: Any
    kinesis: Any
    dynamodb: Any
    s3: Any
    sqs: Any
    sns: Any
    iam: Any

    def create_function(self, timeout: int = 10) -> str:
        """Create the function of recording_function.py and its bucket; return its ARN."""
        self.s3.create_bucket(Bucket=self.name)
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "lambda.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                }
            ],
        }
        role = self.iam.create_role(RoleName=self.name, AssumeRolePolicyDocument=json.dumps(trust))[
            "Role"
        ]["Arn"]
        allow = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
        }
        self.iam.put_role_policy(
            RoleName=self.name, PolicyName="s3", PolicyDocument=json.dumps(allow)
        )
        package = io.BytesIO()
        with zipfile.ZipFile(package, "w") as archive:
            archive.write(
                Path(__file__).with_name("recording_function.py"), "recording_function.py"
            )
        created = self.functions.create_function(
            FunctionName=self.name,
            Runtime="python3.13",
            Role=role,
            Handler="recording_function.lambda_handler",
            Code={"ZipFile": package.getvalue()},
            Timeout=timeout,
            Environment={"Variables": {"BUCKET": self.name}},
        )
        return str(created["FunctionArn"])

    def create_stream(self, shards: int = 1) -> str:
        """Create a Kinesis stream; return its ARN."""
        self.kinesis.create_stream(StreamName=self.name, ShardCount=shards)
        described = self.kinesis.describe_stream_summary(StreamName=self.name)
        return str(described["StreamDescriptionSummary"]["StreamARN"])

    def create_table(self) -> str:
        """Create a table with a stream; return the stream's ARN."""
        created = self.dynamodb.create_table(
            TableName=self.name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        return str(created["TableDescription"]["LatestStreamArn"])

    def create_queue(self, name: str = "") -> tuple[str, str]:
        """Create a queue; return its URL and ARN."""
        policy = {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": "*"}
            ],
        }
        url = self.sqs.create_queue(
            QueueName=f"{self.name}{name}", Attributes={"Policy": json.dumps(policy)}
        )["QueueUrl"]
        attributes = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return url, attributes["Attributes"]["QueueArn"]

    def map(self, source: str, **settings: Any) -> str:
        """Create a mapping from the source to the function; return its UUID."""
        options = {"StartingPosition": "TRIM_HORIZON", "BatchSize": 10, **settings}
        created = self.functions.create_event_source_mapping(
            EventSourceArn=source, FunctionName=self.name, **options
        )
        return str(created["UUID"])

    def put(self, records: Sequence[dict[str, Any]], key: str = "same") -> None:
        """Put records into the stream."""
        for start in range(0, len(records), 500):
            answer = self.kinesis.put_records(
                StreamName=self.name,
                Records=[
                    {
                        "Data": json.dumps(record).encode(),
                        "PartitionKey": str(record.get("key", key)),
                    }
                    for record in records[start : start + 500]
                ],
            )
            assert answer["FailedRecordCount"] == 0

    def calls(self) -> list[dict[str, Any]]:
        """Return the recorded invocations, in order of their start."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix="calls/")
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        bodies = [self.s3.get_object(Bucket=self.name, Key=key)["Body"].read() for key in keys]
        return [json.loads(body) for body in bodies]

    def numbers(self, *, failed: bool | None = None) -> list[int]:
        """Return the numbers of the delivered records, in order.

        `failed` selects the records of failed or of successful invocations.
        """
        return [
            number
            for call in self.calls()
            if failed is None or call["failed"] is failed
            for number in call["numbers"]
        ]

    def messages(self, url: str) -> list[dict[str, Any]]:
        """Return the JSON messages of a queue."""
        answer = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
        return [json.loads(message["Body"]) for message in answer.get("Messages", [])]

    @contextmanager
    def poller(self, *, endpoint: str = "", kill: bool = False) -> Iterator["PollerProcess"]:
        """Run a poller process; send it SIGTERM, or SIGKILL if `kill` is set, at the end."""
        poller = PollerProcess(self, endpoint or self.emulator.endpoint)
        try:
            yield poller
        finally:
            poller.end(signal.SIGKILL if kill else signal.SIGTERM)


class PollerProcess:
    """A running poller process."""

    def __init__(self, deployment: Deployment, endpoint: str) -> None:
        self.deployment = deployment
        self.started = time.time()
        deployment.state.mkdir(parents=True, exist_ok=True)
        environment = {
            "PATH": os.environ["PATH"],
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_CONFIG_FILE": os.devnull,
        }
        command = [
            "-m",
            "aws_emulator.event_sources",
            "--endpoint",
            endpoint,
            "--regions",
            deployment.region,
        ]
        self._out = (deployment.state / "out").open("a")
        self._err = (deployment.state / "err").open("a")
        self.process = subprocess.Popen(
            [sys.executable, *command, "--state", str(deployment.state)],
            cwd=ROOT,
            env=environment,
            stdout=self._out,
            stderr=self._err,
        )

    def end(self, number: int) -> int:
        """Send a signal and wait for the exit; return the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(timeout=30)
        self._out.close()
        self._err.close()
        return code

    def drain(self, *sources: str, seconds: float = 90) -> dict[str, Any]:
        """Wait until all records in the sources are processed; return the status."""
        since = time.time()
        return self.until(lambda status: drained(status, since=since, sources=sources), seconds)

    def until(self, holds: Callable[[dict[str, Any]], bool], seconds: float = 90) -> dict[str, Any]:
        """Wait until the status that the poller writes satisfies `holds`; return the status."""

        def current() -> dict[str, Any] | None:
            status = read_status(self.deployment.state)
            fresh = status and status["updated_at"] >= self.started
            return status if status and fresh and holds(status) else None

        def alive() -> None:
            assert self.process.poll() is None, self.errors()

        return wait_until(current, "the status", seconds, interval_s=0.05, check=alive)

    def errors(self) -> str:
        """Return the standard error of the process."""
        return (self.deployment.state / "err").read_text()

    def log(self, event: str) -> list[dict[str, Any]]:
        """Return the log entries of one event."""
        lines = (self.deployment.state / "out").read_text().splitlines()
        return [entry for line in lines if (entry := json.loads(line))["event"] == event]
