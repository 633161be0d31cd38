"""Supervision: a process that ends is reported, and no process survives its supervisor."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from aws_emulator import processes
from aws_emulator.errors import CommandError
from aws_emulator.processes import ProcessSupervisor, SupervisedProcess, supervise
from aws_emulator.tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]

_SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


def start_sleep(supervisor: ProcessSupervisor, name: str = "server") -> SupervisedProcess:
    return supervisor.start(name, _SLEEP, dict(os.environ), lambda: True)


def kill(process: SupervisedProcess) -> None:
    os.kill(process.process.pid, signal.SIGKILL)


def has_ended(process: psutil.Process) -> bool:
    """Return whether an orphan has ended; no program of a container may collect its status."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def run_with_killed_process(directory: Path, error: Exception | None) -> None:
    """Supervise a process that is killed; then wait, or raise `error` as the caller's code."""
    with supervise(directory) as supervisor:
        kill(start_sleep(supervisor))
        if error is not None:
            raise error
        threading.Event().wait(30)


def test_watch_interrupts_main_thread_when_process_is_killed(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"^server was killed \(SIGKILL\) while"):
        run_with_killed_process(tmp_path, None)


def test_error_is_attributed_to_process_that_died_before_it(tmp_path: Path) -> None:
    """The caller's refused connection must not hide its cause, whichever is noticed first."""
    with pytest.raises(CommandError, match=r"^server was killed"):
        run_with_killed_process(tmp_path, ConnectionRefusedError())


def test_error_passes_unchanged_when_all_processes_live(tmp_path: Path) -> None:
    def run() -> None:
        with supervise(tmp_path) as supervisor:
            start_sleep(supervisor)
            raise ValueError("own")

    with pytest.raises(ValueError, match="own"):
        run()


def test_supervise_stops_processes_with_their_children(tmp_path: Path) -> None:
    code = f"import subprocess; subprocess.run({_SLEEP!r})"
    with supervise(tmp_path) as supervisor:
        parent = supervisor.start(
            "parent",
            [sys.executable, "-c", code],
            dict(os.environ),
            lambda: bool(psutil.Process(supervisor.started[-1].process.pid).children()),
        )
        (child,) = psutil.Process(parent.process.pid).children()
    assert parent.process.returncode is not None
    wait_until(lambda: has_ended(child), "the end of the killed child")
    assert not (tmp_path / processes.PIDS_FILE).exists()


def test_start_reports_last_log_line_of_process_that_ends(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "print('no such table'); raise SystemExit(3)"]

    def run() -> None:
        with supervise(tmp_path) as supervisor:
            supervisor.start("server", command, dict(os.environ), lambda: False)

    with pytest.raises(CommandError, match=r"^server did not start: no such table$"):
        run()


def test_killed_process_does_not_end_the_run_after_kill(tmp_path: Path) -> None:
    with supervise(tmp_path) as supervisor:
        start_sleep(supervisor)
        supervisor.kill("server")
        assert supervisor.wait_for_failure(3 * processes.WATCH_INTERVAL_S) is None
        with pytest.raises(CommandError, match="it is not running"):
            supervisor.kill("server")


def test_supervise_rejects_directory_of_live_run(tmp_path: Path) -> None:
    with subprocess.Popen(_SLEEP) as other:
        try:
            record = {"owner": processes._identity(other.pid), "services": []}
            (tmp_path / processes.PIDS_FILE).write_text(json.dumps(record))
            assert processes.find_owner(tmp_path) == other.pid
            with (
                pytest.raises(CommandError, match=f"Process {other.pid} already uses"),
                supervise(tmp_path),
            ):
                pass
        finally:
            other.kill()


def test_stop_leftovers_spares_process_that_reuses_a_pid(tmp_path: Path) -> None:
    with (
        subprocess.Popen(_SLEEP, start_new_session=True) as left,
        subprocess.Popen(_SLEEP, start_new_session=True) as unrelated,
    ):
        try:
            reused = processes._identity(unrelated.pid) | {"start_time": 1.0}
            services = [
                {"name": "left", **processes._identity(left.pid)},
                {"name": "reused", **reused},
            ]
            content = {"owner": {"pid": 1, "start_time": 0.0}, "services": services}
            (tmp_path / processes.PIDS_FILE).write_text(json.dumps(content))
            assert processes.stop_leftovers(tmp_path) == ["left"]
            assert left.wait(60) == -signal.SIGTERM
            assert unrelated.poll() is None
        finally:
            unrelated.kill()


@pytest.mark.integration  # it opens a socket
def test_require_free_port_names_option_for_busy_port() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CommandError, match=f"Port {port} for MiniStack is in use.*--port"):
            processes.require_free_port(port, "MiniStack", "--port PORT")


@pytest.mark.integration  # it opens sockets
def test_free_ports_are_not_ephemeral_and_differ() -> None:
    """An ephemeral port could be taken by a connection before the server starts."""
    ephemeral = Path("/proc/sys/net/ipv4/ip_local_port_range")
    first = int(ephemeral.read_text().split()[0]) if ephemeral.exists() else 49_152
    ports = [processes.free_port() for _ in range(200)]
    assert len(set(ports)) == len(ports)
    assert max(ports) < first


@pytest.mark.integration  # it opens sockets
def test_port_that_another_process_got_is_not_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither process listens on it yet."""
    port = processes.free_port()
    monkeypatch.setattr(processes, "_returned_ports", set())
    other = (
        "from aws_emulator import processes\n"
        f"processes.FREE_PORTS = range({port}, {port + 50})\n"
        "processes.random.SystemRandom.randrange = lambda *_: 0\n"
        "print(processes.free_port())"
    )
    taken = subprocess.run(
        [sys.executable, "-c", other], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert int(taken.stdout) > port


@pytest.mark.integration  # it opens sockets
def test_reserved_port_is_not_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    port = processes.free_port()
    monkeypatch.setattr(processes, "_returned_ports", set())
    monkeypatch.setattr(processes, "FREE_PORTS", range(port, port + 50))
    monkeypatch.setattr(random.SystemRandom, "randrange", lambda *_: 0)
    assert processes.reserve_port(port)
    assert not processes.reserve_port(port)
    assert processes.free_port() > port


@pytest.mark.integration  # it opens sockets
def test_free_port_in_use_is_not_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        monkeypatch.setattr(processes, "FREE_PORTS", range(port, port + 1))
        with pytest.raises(CommandError, match=f"No port from {port} to {port} is free"):
            processes.free_port()
