"""The documents' commands, run as they are written, on a running system."""

import os
import subprocess
import uuid
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest

from tests.support.live_commands import LIVE
from tests.support.paths import ROOT
from tests.system.test_journey import post, stored
from tools.dev import system

pytestmark = pytest.mark.integration

TIMEOUT_S = 300
KEY = "portal-write-key"


def run(command: str, environment: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    # Variables of the `make` that runs the tests change the output of the inner one.
    inherited = {name: it for name, it in os.environ.items() if "MAKE" not in name}
    return subprocess.run(
        ["sh", "-c", command],
        cwd=ROOT,
        env={**inherited, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
    )


@pytest.fixture(scope="module")
def environment(
    meridian: system.System, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """The shell of a developer: the tests' system under the name of `make up`, and its exports."""
    state = tmp_path_factory.mktemp("state")
    (state / "up").symlink_to(meridian.directory, target_is_directory=True)
    return {
        "MERIDIAN_STATE": str(state),
        "AWS_ENDPOINT_URL": meridian.target.endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        # Otherwise `make logs` follows the logs until Ctrl-C.
        "FOLLOW": "0",
    }


@pytest.fixture(scope="module")
def placeholders(meridian: system.System) -> dict[str, str]:
    """Placeholders and examples of the documents, and their values for a stored event."""
    message_id = str(uuid.uuid4())
    body = {"event": "Lesson opened", "userId": "reader", "messageId": message_id}
    response = post(meridian, "/v1/track", body)
    assert response.status_code == 200
    # `make logs FUNCTION=EdgeAuthFunction` needs a line.
    assert httpx.get(f"{meridian.url}/premium/", timeout=60).status_code == 401
    stored(meridian, f"message_id = '{message_id}'", 1)
    request_id = response.headers["x-amz-cf-id"]
    return {
        "<request ID>": request_id,
        "<stage>": meridian.target.stage,
        "<region>": meridian.target.region,
        "'…'": f"'{message_id}'",
        "http://localhost:8080/": f"{meridian.url}/",
        KEY: meridian.deployed.write_key,
    }


@pytest.mark.parametrize("command", list(LIVE))
def test_command_of_the_documents_succeeds(
    command: str, environment: dict[str, str], placeholders: dict[str, str]
) -> None:
    filled = command
    for name, value in placeholders.items():
        filled = filled.replace(name, value)
    done = run(filled, environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert LIVE[command] in done.stdout
    assert "Traceback" not in done.stderr


def test_make_trace_without_an_id_lists_recent_requests(
    environment: dict[str, str], placeholders: dict[str, str]
) -> None:
    done = run("make trace", environment)
    assert "ID is missing" in done.stderr
    assert placeholders["<request ID>"] in done.stderr


def test_make_down_without_a_running_system_stops_nothing(tmp_path: Path) -> None:
    done = run("make down", {"MERIDIAN_STATE": str(tmp_path)})
    assert (done.returncode, done.stdout) == (0, "Nothing was running.\n")
