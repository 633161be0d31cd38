"""Run a private emulated AWS, and the CloudFront emulator in front of it."""

import io
import json
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest

from aws_emulator.processes import free_port
from aws_emulator.tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[3]
EMULATOR = ROOT / ".venv-emulator/bin/python"
LAMBDA = ROOT / ".venv-lambda/bin/python"
EDGE_ROLE = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": ["lambda.amazonaws.com", "edgelambda.amazonaws.com"]},
            "Action": "sts:AssumeRole",
        }
    ],
}
PROBE = Path(__file__).with_name("probe_function.py")
INTEGRATION = [
    pytest.mark.integration,
    pytest.mark.skipif(
        not (EMULATOR.exists() and LAMBDA.exists()),
        reason="the emulator's environments are missing: run `make up` once",
    ),
]
CACHING_DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
CACHING_OPTIMIZED = "658327ea-f89d-4fab-a63d-7e88639e58f6"


def returns_200(url: str) -> bool:
    """Return whether a GET request to the URL returns 200."""
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


@contextmanager
def process(command: list[str], environment: dict[str, str], log: Path) -> Iterator[Any]:
    """Run a program until the end of the block."""
    with log.open("wb") as output:
        started = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            yield started
        finally:
            started.terminate()
            try:
                started.wait(60)
            except subprocess.TimeoutExpired:
                started.kill()
                started.wait()


@contextmanager
def emulator(directory: Path) -> Iterator[tuple[str, Any]]:
    """Run a private emulated AWS; yield its URL and its process."""
    port = free_port()
    command = [
        str(EMULATOR), "-m", "aws_emulator.ministack", "--port", str(port), "--state",
        str(directory / "state"), "--lambda-python", str(LAMBDA),
    ]  # fmt: skip
    with process(command, dict(os.environ), directory / "emulator.log") as running:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: returns_200(f"{url}/_ministack/ready"), "the emulated AWS")
        yield url, running


def client(url: str, service: str, region: str = "us-east-1") -> Any:
    """Return a boto3 client of the emulated AWS."""
    session = boto3.session.Session("test", "test", region_name=region)
    return session.client(service, endpoint_url=url)  # type: ignore[call-overload]  # the service's name is a variable


@dataclass
class Environment:
    """The URLs of the emulated AWS and of the CloudFront emulator, and the distribution's ID."""

    aws: str
    edge: str = ""
    distribution: str = ""
    log: Path = field(default_factory=Path)

    def client(self, service: str) -> Any:
        """Return a boto3 client of the emulated AWS."""
        return client(self.aws, service)

    def logged(self, request_id: str) -> dict[str, Any]:
        """Return the access log's line of a request. CloudFront writes it after the response."""

        def line() -> dict[str, Any] | None:
            written = self.log.read_text().rpartition("\n")[0].splitlines()
            return next((e for e in map(json.loads, written) if e["id"] == request_id), None)

        return wait_until(line, f"the access log's line of {request_id}")


def package(source: str) -> bytes:
    """Return a zipped function package with one module."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("probe.py", source)
    return held.getvalue()


def deploy_function(aws: str, name: str, **settings: Any) -> str:
    """Publish a version of the probe function; return its ARN."""
    iam, functions = client(aws, "iam"), client(aws, "lambda")
    with suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_role(RoleName="edge", AssumeRolePolicyDocument=json.dumps(EDGE_ROLE))
    function = functions.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Handler="probe.lambda_handler",
        Role="arn:aws:iam::000000000000:role/edge",
        Code={"ZipFile": package(PROBE.read_text())},
        Publish=True,
        **{"Timeout": 5, "MemorySize": 128, **settings},
    )
    return f"{function['FunctionArn'].removesuffix(':1')}:1"


@contextmanager
def running_edge_location(aws: str, directory: Path, *more: str) -> Iterator[tuple[str, Any, Path]]:
    """Run the CloudFront emulator; yield its URL, its process, and its access log."""
    port = free_port()
    log = directory / "access.log"
    command = [
        sys.executable, "-m", "aws_emulator.cloudfront", "--endpoint", aws, "--port", str(port),
        "--log", str(log), *more,
    ]  # fmt: skip
    with process(command, dict(os.environ), directory / "edge.log") as running:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: returns_200(f"{url}/_local/ready"), "the CloudFront emulator", 30)
        yield url, running, log


@contextmanager
def scratch() -> Iterator[Path]:
    """Create a directory that exists until the end of the block."""
    with tempfile.TemporaryDirectory(prefix="cloudfront-tests-") as name:
        yield Path(name)
