"""Starts MiniStack for tests: on a free port, without some patches, or from changed sources."""

import json
import os
import shutil
import subprocess
import threading
import urllib.error
import urllib.request
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from aws_emulator.tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[3]
PYTHON = ROOT / ".venv-emulator" / "bin" / "python"
LAMBDA_PYTHON = ROOT / ".venv-lambda" / "bin" / "python"
HOME = "us-east-1"

#: Environment of an AWS client, without the endpoint.
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
}


@dataclass(eq=False)
class Emulator:
    """A running MiniStack."""

    endpoint: str
    process: subprocess.Popen[str]
    state: Path
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def client(self, service: str, region: str = HOME) -> Any:
        """Return a boto3 client. Threads share it, because creating clients is not thread-safe."""
        with self._lock:
            if (service, region) not in self._clients:
                self._clients[service, region] = self._new_client(service, region)
            return self._clients[service, region]

    def _new_client(self, service: str, region: str) -> Any:
        return boto3.client(  # type: ignore[call-overload]  # any service, by name
            service,
            region_name=region,
            endpoint_url=self.endpoint,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(
                retries={"total_max_attempts": 1},
                inject_host_prefix=False,
                s3={"addressing_style": "path"},
                max_pool_connections=32,
            ),
        )

    def local(self, path: str, method: str = "GET", body: Any = None) -> Any:
        """Return the JSON of a path under /_local/. Raises AssertionError for an error status."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.endpoint}/_local/{path}", data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(f"{method} {path}: {error.code}") from None

    @contextmanager
    def calls(self, module: str) -> Iterator[Counter[str]]:
        """Count the calls that a module of MiniStack makes within the block, by function."""
        counts: Counter[str] = Counter()
        self.local(f"calls?module={module}", "POST")
        try:
            yield counts
        finally:
            counts.update(self.local("calls", "DELETE"))

    def deploy(
        self, template: dict[str, Any], stack: str, region: str = HOME, **parameters: str
    ) -> Any:
        """Create or update a stack and return its outputs.

        Raises AssertionError with the events' reasons if it fails.
        """
        cloudformation = self.client("cloudformation", region)
        exists = stack in self.stacks(region)
        act = cloudformation.update_stack if exists else cloudformation.create_stack
        act(
            StackName=stack,
            TemplateBody=json.dumps(template),
            Capabilities=["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
            Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
        )
        return self._wait_for_outputs(stack, region)

    def _wait_for_outputs(self, stack: str, region: str) -> dict[str, str]:
        cloudformation = self.client("cloudformation", region)

        def completed() -> dict[str, Any] | None:
            stack_description: dict[str, Any] = cloudformation.describe_stacks(StackName=stack)[
                "Stacks"
            ][0]
            status = stack_description["StackStatus"]
            if status in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
                return stack_description
            if not status.endswith("_IN_PROGRESS"):
                events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
                reasons = [e.get("ResourceStatusReason", "") for e in events]
                raise AssertionError(f"{stack} ended in {status}: {list(filter(None, reasons))}")
            return None

        settled = wait_until(completed, f"the stack {stack}", interval_s=0.05)
        return {o["OutputKey"]: o["OutputValue"] for o in settled.get("Outputs", [])}

    def delete(self, stack: str, region: str = HOME) -> None:
        """Delete a stack and wait for the end of the deletion."""
        cloudformation = self.client("cloudformation", region)
        cloudformation.delete_stack(StackName=stack)

        wait_until(
            lambda: stack not in self.stacks(region), f"the deletion of {stack}", interval_s=0.05
        )

    def stacks(self, region: str = HOME) -> set[str]:
        """Return the names of all stacks of a Region."""
        pages = self.client("cloudformation", region).get_paginator("describe_stacks").paginate()
        return {description["StackName"] for page in pages for description in page["Stacks"]}


@contextmanager
def running(state: Path, *without: str, root: Path = ROOT) -> Iterator[Emulator]:
    """Start MiniStack, without some patches or from a copy of the sources, and stop it."""
    process = start(state, *[f"--without={name}" for name in without], root=root)
    try:
        assert process.stdout
        line = process.stdout.readline()
        assert line.startswith("ministack: http"), log(state).read_text()
        yield Emulator(line.removeprefix("ministack: ").strip(), process, state)
    finally:
        process.terminate()
        process.communicate(timeout=60)


@dataclass(eq=False)
class Preloaded:
    """Starts MiniStack in forks of a process that has imported the libraries."""

    process: subprocess.Popen[str]

    @contextmanager
    def running(self, state: Path, *without: str) -> Iterator[Emulator]:
        """Start MiniStack without some patches, and stop it. There is one at a time."""
        arguments = ["--port=0", f"--state={state}", f"--lambda-python={LAMBDA_PYTHON}"]
        arguments += [f"--without={name}" for name in without]
        line = self._answer(json.dumps(arguments))
        # MiniStack that can't start prints its reason on the standard error.
        assert line.startswith("ministack: http"), f"MiniStack ended with exit code {line}"
        try:
            yield Emulator(line.removeprefix("ministack: "), self.process, state)
        finally:
            assert self._answer("") == "0"

    def _answer(self, line: str) -> str:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()


@contextmanager
def preloaded() -> Iterator[Preloaded]:
    """Start the process that starts MiniStack in forks, and stop both."""
    # A file, not a module: the package needs pytest, which the emulator's environment lacks.
    command = [str(PYTHON), "-P", str(Path(__file__).with_name("preloaded.py"))]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        yield Preloaded(process)


def start(state: Path, *arguments: str, port: int = 0, root: Path = ROOT) -> subprocess.Popen[str]:
    """Start the process. Its standard error goes to `log(state)`."""
    command = [str(PYTHON), "-m", "aws_emulator.ministack", f"--port={port}", f"--state={state}"]
    with log(state).open("w") as errors:
        return subprocess.Popen(
            [*command, f"--lambda-python={LAMBDA_PYTHON}", *arguments],
            cwd=root,
            text=True,
            stdout=subprocess.PIPE,
            stderr=errors,
        )


def changed_copy(directory: Path, file: str, old: str, new: str) -> Path:
    """Copy the package, and replace a text in one file of the copy."""
    shutil.copytree(
        ROOT / "aws_emulator", directory / "aws_emulator", ignore=shutil.ignore_patterns("__pyc*")
    )
    path = directory / "aws_emulator" / "ministack" / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return directory


def log(state: Path) -> Path:
    """Return the file for the process's standard error."""
    return state.with_name(f"{state.name}.log")


def unique(prefix: str) -> str:
    """Return a name that no other test uses."""
    return f"{prefix}-{uuid.uuid4().hex[:8]}"
