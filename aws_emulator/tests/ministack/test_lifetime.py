"""Start-up errors of MiniStack, and the end of all its processes."""

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
    Preloaded,
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
    """Start two workers with a running invocation that has a child process each."""
    name = unique("sleeper")
    emulator.deploy(stack(Role=ROLE, Sleeper=function(name, _SLEEPS, Timeout=600)), name)
    invoke(emulator, name, {})
    functions = emulator.client("lambda")
    functions.invoke(FunctionName=name, InvocationType="Event", Payload=b'{"sleep": 600}')
    functions.invoke(FunctionName=name, InvocationType="Event", Payload=b'{"sleep": 600}')

    def children() -> list[psutil.Process] | None:
        below = psutil.Process(emulator.process.pid).children(recursive=True)
        # The guard, the fork server, two workers and a child process of each.
        return below if len(below) >= 6 else None

    return wait_until(children, "two workers with a child each")


def _assert_ended(processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=60)
    assert alive == []


def test_sigterm_ends_all_processes_and_removes_files(tmp_path: Path) -> None:
    with running(tmp_path / "state") as emulator:
        below = _busy(emulator)
        emulator.process.send_signal(signal.SIGTERM)
        assert emulator.process.wait(timeout=60) == 0
        _assert_ended(below)
        assert not any((tmp_path / "state" / "tmp").iterdir())


def test_sigkill_leaves_no_process_and_no_file(tmp_path: Path) -> None:
    with running(tmp_path / "state") as emulator:
        below = _busy(emulator)
        emulator.process.kill()
        _assert_ended(below)
        assert not any((tmp_path / "state" / "tmp").iterdir())


def test_emulator_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    """A killed parent can't stop the emulator, so the emulator watches its parent."""
    state = tmp_path / "state"
    program = (
        "import subprocess, sys, threading\n"
        # Started by a thread that ends at once, as parallel deployments may do.
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
        assert parent.stdout.readline().startswith("ministack: http")
        below = psutil.Process(parent.pid).children(recursive=True)
        time.sleep(1)
        assert all(process.is_running() for process in below)
        parent.kill()
        _assert_ended(below)


def test_emulator_listens_on_loopback_address_only(emulator: Emulator) -> None:
    processes = [psutil.Process(emulator.process.pid)]
    processes += processes[0].children(recursive=True)
    addresses = {
        connection.laddr.ip
        for process in processes
        for connection in process.net_connections("inet")
        if connection.status in {psutil.CONN_LISTEN, psutil.CONN_NONE}
    }
    assert addresses == {"127.0.0.1"}


def test_emulator_and_functions_do_not_inherit_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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
    # A function gets its role's session only with AUTH=true.
    assert seen["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    for directory in ("HOME", "TMPDIR", "LAMBDA_TASK_ROOT"):
        assert seen[directory].startswith(str(emulator.state))


def _start_error(tmp_path: Path, *arguments: str, port: int = 0, root: Path = ROOT) -> str:
    """Return the message of a start that fails."""
    state = tmp_path / "state"
    process = start(state, *arguments, port=port, root=root)
    process.communicate(timeout=30)
    assert process.returncode == 1
    lines = log(state).read_text().splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def test_start_fails_when_port_is_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        message = _start_error(tmp_path, port=port)
    assert message.startswith(f"ministack: can't use port {port} on 127.0.0.1")


def test_start_fails_when_state_directory_is_in_use(tmp_path: Path, emulator: Emulator) -> None:
    state = tmp_path / "state"
    with running(state):
        process = start(state)
        process.communicate(timeout=30)
        assert process.returncode == 1
        assert f"another emulator uses {state}" in log(state).read_text()


def test_start_fails_without_awslambdaric(tmp_path: Path) -> None:
    message = _start_error(tmp_path, f"--lambda-python={PYTHON}")
    assert "can't import awslambdaric" in message


def test_start_fails_for_unknown_patch(tmp_path: Path) -> None:
    message = _start_error(tmp_path, "--without=nothing")
    assert message == "ministack: --without: unknown patch nothing"


def test_start_fails_for_other_ministack_version(tmp_path: Path) -> None:
    copy = changed_copy(tmp_path / "copy", "__main__.py", '"1.5.33"', '"9.9.9"')
    message = _start_error(tmp_path, root=copy)
    assert message == f"ministack: ministack 9.9.9 is required, but {PYTHON} has 1.5.33"


def test_start_fails_when_ministack_lacks_name_of_patch(tmp_path: Path) -> None:
    patch = "patches/kinesis_retention.py"
    copy = changed_copy(tmp_path / "copy", patch, '"_expire_records"', '"_renamed"')
    message = _start_error(tmp_path, root=copy)
    assert message == "ministack: MiniStack's ministack.services.kinesis lacks _renamed"


def test_failed_start_in_a_fork_does_not_affect_the_next(
    preloaded: Preloaded, tmp_path: Path
) -> None:
    with (
        pytest.raises(AssertionError, match="exit code 1"),
        preloaded.running(tmp_path / "state", "unknown"),
    ):
        pass
    with preloaded.running(tmp_path / "state") as emulator:
        emulator.local("accepted")
