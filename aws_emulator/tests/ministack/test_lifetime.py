"""Nothing outlives the emulator, and what keeps it from starting is one clear sentence."""

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from aws_emulator.tests.ministack.contracts_functions import invoke
from aws_emulator.tests.ministack.running import (
    LAMBDA_PYTHON,
    PYTHON,
    ROOT,
    Emulator,
    changed_copy,
    log,
    running,
    start,
    unique,
)
from aws_emulator.tests.ministack.templates import ROLE, function, stack
from aws_emulator.tests.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("environments")]

_SLEEPS = (
    "import subprocess, sys, time\n"
    "def handler(event, context):\n"
    "    if event.get('sleep'):\n"
    "        child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    "        time.sleep(event['sleep'])\n"
    "    return 1\n"
)


def _busy(emulator: Emulator) -> list[psutil.Process]:
    """Start workers, one of them in the middle of an invocation that has a child of its own."""
    name = unique("sleeper")
    emulator.deploy(stack(Role=ROLE, Sleeper=function(name, _SLEEPS, Timeout=600)), name)
    invoke(emulator, name, {})
    functions = emulator.client("lambda")
    functions.invoke(FunctionName=name, InvocationType="Event", Payload=b'{"sleep": 600}')
    functions.invoke(FunctionName=name, InvocationType="Event", Payload=b'{"sleep": 600}')

    def children() -> list[psutil.Process] | None:
        below = psutil.Process(emulator.process.pid).children(recursive=True)
        # The guard, two workers and a child of each.
        return below if len(below) >= 5 else None

    return wait_until(children, "two workers with a child each", 10)


def _all_gone(processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=5)
    assert alive == []


def test_a_signal_ends_it_cleanly(tmp_path: Path) -> None:
    with running(tmp_path / "state") as emulator:
        below = _busy(emulator)
        emulator.process.send_signal(signal.SIGTERM)
        assert emulator.process.wait(timeout=10) == 0
        _all_gone(below)
        assert not any((tmp_path / "state" / "tmp").iterdir())


def test_a_kill_leaves_nothing_behind(tmp_path: Path) -> None:
    with running(tmp_path / "state") as emulator:
        below = _busy(emulator)
        emulator.process.kill()
        _all_gone(below)
        assert not any((tmp_path / "state" / "tmp").iterdir())


def test_it_follows_its_parent(tmp_path: Path) -> None:
    """A parent that is killed cannot stop the emulator, so the emulator looks."""
    state = tmp_path / "state"
    program = (
        "import subprocess, sys, threading\n"
        # Started by a thread that ends at once, as a deployment in parallel may do.
        "run = lambda: subprocess.Popen(sys.argv[1:])\n"
        "thread = threading.Thread(target=run); thread.start(); thread.join()\n"
        "threading.Event().wait()\n"
    )
    command = [str(PYTHON), "-m", "aws_emulator.ministack", "--port=0"]
    command += [f"--state={state}", f"--lambda-python={LAMBDA_PYTHON}"]
    with subprocess.Popen(
        [sys.executable, "-c", program, *command], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout
        assert parent.stdout.readline().startswith("emulator: http")
        below = psutil.Process(parent.pid).children(recursive=True)
        time.sleep(1)
        assert all(process.is_running() for process in below)
        parent.kill()
        _all_gone(below)


def test_it_listens_on_the_loopback_address_only(emulator: Emulator) -> None:
    processes = [psutil.Process(emulator.process.pid)]
    processes += processes[0].children(recursive=True)
    addresses = {
        connection.laddr.ip
        for process in processes
        for connection in process.net_connections("inet")
        if connection.status in {psutil.CONN_LISTEN, psutil.CONN_NONE}
    }
    assert addresses == {"127.0.0.1"}


def test_its_environment_is_clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the caller's environment says reaches neither the emulator nor a function."""
    monkeypatch.setenv("AUTH", "false")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "the caller's")
    with running(tmp_path / "state") as emulator:
        name = unique("clean")
        code = "import os\ndef handler(event, context):\n    return dict(os.environ)\n"
        emulator.deploy(stack(Role=ROLE, Clean=function(name, code)), name)
        seen = invoke(emulator, name, {})
    assert "POWERTOOLS_SERVICE_NAME" not in seen
    assert seen["AWS_ENDPOINT_URL"] == emulator.endpoint
    # Only with AUTH does a function get its role's session.
    assert seen["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    for directory in ("HOME", "TMPDIR", "LAMBDA_TASK_ROOT"):
        assert seen[directory].startswith(str(emulator.state))


def _refused(tmp_path: Path, *arguments: str, port: int = 0, root: Path = ROOT) -> str:
    """The sentence with which the launcher refuses to start."""
    state = tmp_path / "state"
    process = start(state, *arguments, port=port, root=root)
    process.communicate(timeout=30)
    assert process.returncode == 1
    lines = log(state).read_text().splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def test_a_busy_port(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        sentence = _refused(tmp_path, port=port)
    assert sentence.startswith(f"emulator: port {port} on 127.0.0.1 cannot be used")


def test_a_busy_directory(tmp_path: Path, emulator: Emulator) -> None:
    state = tmp_path / "state"
    with running(state):
        process = start(state)
        process.communicate(timeout=30)
        assert process.returncode == 1
        assert f"another emulator is using the directory {state}" in log(state).read_text()


def test_an_interpreter_without_the_runtime(tmp_path: Path) -> None:
    sentence = _refused(tmp_path, f"--lambda-python={PYTHON}")
    assert "cannot import awslambdaric" in sentence


def test_a_shim_that_does_not_exist(tmp_path: Path) -> None:
    assert _refused(tmp_path, "--without=nothing") == "emulator: there is no shim nothing"


def test_another_version(tmp_path: Path) -> None:
    copy = changed_copy(tmp_path / "copy", "__main__.py", '"1.5.33"', '"9.9.9"')
    sentence = _refused(tmp_path, root=copy)
    assert sentence == f"emulator: the emulator needs ministack 9.9.9, but {PYTHON} has 1.5.33"


def test_a_missing_symbol(tmp_path: Path) -> None:
    shim = "shims/kinesis_housekeeping.py"
    copy = changed_copy(tmp_path / "copy", shim, '"_expire_records"', '"_renamed"')
    sentence = _refused(tmp_path, root=copy)
    assert sentence == "emulator: MiniStack's ministack.services.kinesis lacks _renamed"
