"""The stack that an operator's command works on, and its environment variables."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aws_emulator.errors import CommandError
from tools import stack
from tools.operations.commands import OperatedStack, _describe, _of_parameters, select_stack
from tools.stack import RUNNING_SYSTEM_FILE, find_running_stack

OUTPUTS = dict.fromkeys(("LakeBucket", "FailuresBucket", "CheckpointsTable", "LiveTable"), "x")


class FakeCloudFormation:
    """Describes one stack, or raises."""

    def __init__(self, parameters: dict[str, str] | None) -> None:
        self._parameters = parameters

    def describe_stacks(self, **_: str) -> dict[str, Any]:
        if self._parameters is None:
            raise ClientError({"Error": {"Code": "ValidationError"}}, "DescribeStacks")
        listed = [
            {"ParameterKey": name, "ParameterValue": value}
            for name, value in self._parameters.items()
        ]
        return {"Stacks": [{"Parameters": listed, "Outputs": []}]}


def test_environment_contains_the_stack_outputs() -> None:
    environment = OperatedStack(OUTPUTS, "dev", "eu-west-2", {"PATH": "/bin"}).environment()
    assert environment["LAKE_BUCKET"] == "x"
    assert environment["APPOINTMENTS_TABLE"] == "meridian-dev-appointments"
    assert environment["AWS_REGION"] == "eu-west-2"
    assert environment["PATH"] == "/bin"
    assert environment["ADOPTED_REGION"] == ""


def test_environment_contains_the_settings_of_the_stack() -> None:
    parameters = {"Stage": "dev", "AdoptedRegion": "eu-west-2", "EventsRetentionDays": "365"}
    _, described = _describe(FakeCloudFormation(parameters), "meridian-dev-ap-south-1")
    stack = OperatedStack(OUTPUTS, "dev", "ap-south-1", {}, **_of_parameters(described))
    assert stack.environment()["ADOPTED_REGION"] == "eu-west-2"
    assert stack.environment()["EVENTS_RETENTION_DAYS"] == "365"


def test_environment_fails_when_an_output_is_missing() -> None:
    outputs = {name: value for name, value in OUTPUTS.items() if name != "LiveTable"}
    with pytest.raises(CommandError, match="no output LiveTable"):
        OperatedStack(outputs, "dev", "eu-west-2", {}).environment()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [(None, "Can't describe the stack other"), ({"A": "b"}, "isn't a Meridian stack")],
)
def test_unusable_stack_is_rejected(parameters: dict[str, str] | None, message: str) -> None:
    with pytest.raises(CommandError, match=message):
        _describe(FakeCloudFormation(parameters), "other")


def test_select_stack_fails_without_a_running_system(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="Start `make up` in another terminal"):
        select_stack({}, up=tmp_path)


def test_running_stack_is_found_by_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = {"endpoint": "http://127.0.0.1:1", "regions": ["us-east-1"]}
    (tmp_path / RUNNING_SYSTEM_FILE).write_text(json.dumps(record))
    monkeypatch.setattr(stack, "responds", lambda _url, _timeout_s: True)
    running_stack = find_running_stack(tmp_path)
    assert running_stack is not None
    assert running_stack.stack_name == "meridian-local-us-east-1"
    with pytest.raises(CommandError, match="make up REGIONS=us-east-1,eu-west-2"):
        find_running_stack(tmp_path, "eu-west-2")
    monkeypatch.setattr(stack, "responds", lambda _url, _timeout_s: False)
    assert find_running_stack(tmp_path) is None


@pytest.mark.integration  # it opens sockets
def test_running_stack_on_busy_machine_is_found(tmp_path: Path) -> None:
    class LateHandler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            time.sleep(3)
            self.send_response(200)
            self.end_headers()

    with ThreadingHTTPServer(("127.0.0.1", 0), LateHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        record = {"endpoint": f"http://127.0.0.1:{server.server_port}", "regions": ["us-east-1"]}
        (tmp_path / RUNNING_SYSTEM_FILE).write_text(json.dumps(record))
        assert find_running_stack(tmp_path) is not None
        server.shutdown()
    assert find_running_stack(tmp_path) is None
