"""`make debug`: one invocation, and requests through CloudFront, stop at breakpoints in src/."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from aws_emulator.cloudfront.edge_functions.invoker import TIMEOUT_S
from aws_emulator.processes import free_port
from aws_emulator.tests.invoke.dap_client import DapClient
from tests.support.paths import ROOT
from tools.debug import PACKAGE
from tools.dev.system import System
from tools.paths import STATE

pytestmark = pytest.mark.integration

SOURCE: Final = ROOT / "src"
#: The commands of docs/local.md.
ONCE: Final = "make debug FUNCTION=ValidateFunction EVENT=events/stepfunctions/validate.json"
REQUESTS: Final = "make debug FUNCTION=EdgeAuthFunction"


def line_of(path: Path, text: str) -> int:
    """Return the number of the only line that contains a text."""
    (number,) = (n for n, line in enumerate(path.read_text().splitlines(), 1) if text in line)
    return number


@contextmanager
def debugged(
    meridian: System, command: str, state: Path
) -> Iterator[tuple["subprocess.Popen[str]", DapClient]]:
    """Run a command for the system under test, and attach to it as VS Code does.

    The mapping of paths is that of launch.json.
    """
    (state / "up").symlink_to(meridian.directory, target_is_directory=True)
    port = free_port()
    inherited = {name: it for name, it in os.environ.items() if "MAKE" not in name}
    process = subprocess.Popen(
        ["sh", "-c", command],
        cwd=ROOT,
        env={**inherited, "MERIDIAN_STATE": str(state), "DEBUG_PORT": str(port)},
        stdout=subprocess.PIPE,
        text=True,
        # A terminal's Ctrl-C reaches `make` and its processes.
        start_new_session=True,
    )
    try:
        client = DapClient(port, SOURCE, state / PACKAGE.relative_to(STATE))
        try:
            yield process, client
        finally:
            client.abandon()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_launch_configuration_maps_source_to_debugged_package() -> None:
    document = json.loads((ROOT / ".vscode" / "launch.json").read_text())
    (attach,) = document["configurations"]
    assert attach["connect"]["port"] == 5678
    (mapping,) = attach["pathMappings"]
    paths = {name: it.replace("${workspaceFolder}", str(ROOT)) for name, it in mapping.items()}
    assert paths == {"localRoot": str(SOURCE), "remoteRoot": str(PACKAGE)}


def test_invocation_with_event_stops_in_source_and_returns(
    meridian: System, tmp_path: Path
) -> None:
    path = SOURCE / "stepfunctions" / "validate.py"
    line = line_of(path, "account, person = accounts()")
    with debugged(meridian, ONCE, tmp_path) as (process, client):
        client.set_breakpoint(path, line)
        client.run()
        assert client.wait_for_stop()[:2] == (str(path), line)
        client.resume()
        client.finish()
        output, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    assert json.loads(output)["reasons"][0]["code"] == "expired"


def test_request_through_cloudfront_stops_in_source_beyond_the_time_limit(
    meridian: System, tmp_path: Path
) -> None:
    path = SOURCE / "edge_auth" / "handler.py"
    line = line_of(path, "authorization.handle_viewer_request(")
    responses: list[Any] = []
    before = httpx.get(f"{meridian.url}/premium/", timeout=120).status_code

    def request() -> None:
        responses.append(httpx.get(f"{meridian.url}/premium/", timeout=300))

    with debugged(meridian, REQUESTS, tmp_path) as (process, client):
        client.set_breakpoint(path, line)
        client.run()
        sender = threading.Thread(target=request)
        sender.start()
        file, stopped_at, variables = client.wait_for_stop()
        assert (file, stopped_at) == (str(path), line)
        assert "Records" in variables["event"]
        time.sleep(TIMEOUT_S["viewer-request"] + 1)
        assert responses == []
        client.resume()
        sender.join(120)
        assert responses[0].status_code == before
        os.killpg(process.pid, signal.SIGINT)
        client.finish()
        process.wait(60)
    # The function of the system handles requests again.
    assert httpx.get(f"{meridian.url}/premium/", timeout=120).status_code == before
