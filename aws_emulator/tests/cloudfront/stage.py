"""A private emulator with a hand-made distribution, and the local edge in front of it."""

import io
import json
import os
import socket
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
PROBE = Path(__file__).with_name("probe.py")
CACHING_DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
CACHING_OPTIMIZED = "658327ea-f89d-4fab-a63d-7e88639e58f6"


def free_port() -> int:
    """Give a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(url: str) -> bool:
    """Tell whether an address answers 200."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


@contextmanager
def process(command: list[str], environment: dict[str, str], log: Path) -> Iterator[Any]:
    """Run a program as long as the block."""
    with log.open("wb") as output:
        started = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            yield started
        finally:
            started.terminate()
            try:
                started.wait(15)
            except subprocess.TimeoutExpired:
                started.kill()
                started.wait()


@contextmanager
def emulator(directory: Path) -> Iterator[tuple[str, Any]]:
    """Run a private emulator; gives its address and its process."""
    port = free_port()
    command = [
        str(EMULATOR), "-m", "aws_emulator.ministack", "--port", str(port), "--state",
        str(directory / "state"), "--lambda-python", str(LAMBDA),
    ]  # fmt: skip
    with process(command, dict(os.environ), directory / "emulator.log") as running:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: answers(f"{url}/_ministack/ready"), "the emulator")
        yield url, running


def client(url: str, service: str, region: str = "us-east-1") -> Any:
    """Make a client of the emulated AWS."""
    session = boto3.session.Session("test", "test", region_name=region)
    return session.client(service, endpoint_url=url)  # type: ignore[call-overload]  # the service's name is a variable


@dataclass
class Stage:
    """What the tests use: the emulated AWS, the distribution, and the edge's address."""

    aws: str
    edge: str = ""
    distribution: str = ""
    log: Path = field(default_factory=Path)

    def client(self, service: str) -> Any:
        """Make a client of the emulated AWS."""
        return client(self.aws, service)


def package(source: str) -> bytes:
    """Zip one module as a function's package."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("probe.py", source)
    return held.getvalue()


def deploy_function(aws: str, name: str, **settings: Any) -> str:
    """Publish a version of the probe; gives its ARN."""
    iam, functions = client(aws, "iam"), client(aws, "lambda")
    with suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_role(RoleName="edge", AssumeRolePolicyDocument=json.dumps(EDGE_ROLE))
    found = functions.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Handler="probe.lambda_handler",
        Role="arn:aws:iam::000000000000:role/edge",
        Code={"ZipFile": package(PROBE.read_text())},
        Publish=True,
        **{"Timeout": 5, "MemorySize": 128, **settings},
    )
    return f"{found['FunctionArn'].removesuffix(':1')}:1"


@contextmanager
def running_edge(aws: str, directory: Path, *more: str) -> Iterator[tuple[str, Any, Path]]:
    """Run the local edge; gives its address, its process, and its access log."""
    port = free_port()
    log = directory / "access.log"
    command = [
        sys.executable, "-m", "aws_emulator.cloudfront", "--endpoint", aws, "--port", str(port),
        "--log", str(log), *more,
    ]  # fmt: skip
    with process(command, dict(os.environ), directory / "edge.log") as running:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: answers(f"{url}/_local/ready"), "the local edge", 30)
        yield url, running, log


@contextmanager
def scratch() -> Iterator[Path]:
    """Make a directory as long as the block."""
    with tempfile.TemporaryDirectory(prefix="meridian-edge-") as name:
        yield Path(name)
