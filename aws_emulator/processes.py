"""Supervision of the emulator's programs: start, watch, and stop them with all their children.

`supervise` yields a `ProcessSupervisor` for a state directory. `aws_emulator.launcher` starts
MiniStack, the event source mappings, the REST APIs and CloudFront with it.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any, Final

import psutil

from aws_emulator.errors import CommandError

#: Seconds between SIGTERM and SIGKILL.
TERMINATION_GRACE_S: Final = 8.0
#: Seconds between two checks that every process is alive.
WATCH_INTERVAL_S: Final = 0.3
#: How long an error in the caller's code waits for the end of a process that may have caused it:
#: the kernel closes the sockets of a killed process before its parent can reap it.
CAUSE_WAIT_S: Final = 0.5
PIDS_FILE: Final = "pids.json"
_PR_SET_PDEATHSIG: Final = 1
#: The choice of `free_port`: below the ephemeral ports of Linux (ip(7), ip_local_port_range, 32,768
#: to 60,999) and of macOS (from 49,152).
FREE_PORTS: Final = range(20_000, 32_768)
_returned_ports: Final[set[int]] = set()


@dataclass
class SupervisedProcess:
    """A started program. `log` receives its standard output and standard error."""

    name: str
    process: "subprocess.Popen[bytes]"
    log: Path
    ready: bool = False

    def exit_reason(self) -> str:
        """Return how the process ended: the signal, or the exit code and its last log line."""
        code = self.process.poll()
        if code is not None and code < 0:
            return f"was killed ({signal.Signals(-code).name})"
        return f"ended with exit code {code} (last log line: {self.last_log_line() or 'none'})"

    def last_log_line(self) -> str:
        """Return the last non-empty line of the log, or an empty string."""
        with contextlib.suppress(OSError):
            lines = [line.strip() for line in self.log.read_text(errors="replace").splitlines()]
            return next((line for line in reversed(lines) if line), "")
        return ""


#: A busy machine starts programs slowly. A program that ends is noticed at once.
READY_S: Final = 180.0


@dataclass
class ProcessSupervisor:
    """The processes of one run, in the order in which they were started. See `supervise`."""

    directory: Path
    started: list[SupervisedProcess] = field(default_factory=list)
    failure: str | None = None
    stopping: bool = False

    def start(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        ready: Callable[[], bool],
        timeout_s: float = READY_S,
    ) -> SupervisedProcess:
        """Start a program and wait until `ready` returns True.

        Raises:
            CommandError: The program ended first, or was not ready within `timeout_s` seconds.
        """
        log = self.directory / "logs" / f"{name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # Safe here: one libc call, which takes no lock that another thread may hold.
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509
            )
        started = SupervisedProcess(name, process, log)
        self.started.append(started)
        self._write_pids()
        deadline = time.monotonic() + timeout_s
        while not ready():
            if process.poll() is not None:
                reason = started.last_log_line() or f"exit code {process.returncode}, no output"
                raise CommandError(f"{name} did not start: {reason}")
            if time.monotonic() > deadline:
                raise CommandError(f"{name} was not ready within {timeout_s:.0f} s. Log: {log}")
            time.sleep(0.05)
        started.ready = True
        return started

    def kill(self, name: str) -> None:
        """Kill a process with SIGKILL and stop watching it, so that the run continues.

        Raises:
            CommandError: No process has this name.
        """
        matching = [it for it in self.started if it.name == name]
        if not matching:
            raise CommandError(f"Can't kill {name}: it is not running.")
        self.started = [it for it in self.started if it.name != name]
        self._write_pids()
        for process in matching:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.process.pid, signal.SIGKILL)
            process.process.wait()

    def stop(self) -> None:
        """Stop every process with all its children, the most recently started first."""
        self.stopping = True
        for process in reversed(self.started):
            _stop_group(process.process.pid, process.process)
        self.started.clear()
        self._write_pids()

    def watch(self) -> None:
        """Interrupt the main thread with SIGUSR1 when a process ends. Returns after `stop`."""
        while not self.stopping:
            if self.find_failure() is not None and not self.stopping:
                os.kill(os.getpid(), signal.SIGUSR1)
                return
            time.sleep(WATCH_INTERVAL_S)

    def find_failure(self) -> str | None:
        """Return the message about the first process that has ended, or None if all are alive.

        `start` itself reports a process that ends before it is ready.
        """
        if self.failure is None:
            for process in list(self.started):
                if process.ready and process.process.poll() is not None:
                    self.failure = f"{process.name} {process.exit_reason()} while it was in use."
                    break
        return self.failure

    def wait_for_failure(self, timeout_s: float) -> str | None:
        """Return what `find_failure` returns, waiting up to `timeout_s` for a process to end."""
        deadline = time.monotonic() + timeout_s
        while self.find_failure() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        return self.failure

    def _write_pids(self) -> None:
        processes = [{"name": it.name, **_identity(it.process.pid)} for it in self.started]
        content = {"owner": _identity(os.getpid()), "services": processes}
        (self.directory / PIDS_FILE).write_text(json.dumps(content))


@contextlib.contextmanager
def supervise(directory: Path) -> Iterator[ProcessSupervisor]:
    """Yield a supervisor, and stop its processes at the end, also after an error or a signal.

    Call it from the main thread: it installs handlers for SIGTERM, SIGHUP and SIGUSR1. When a
    process ends by itself, the block ends with a CommandError that names the process, whether the
    watching thread or the caller's own code noticed first.

    Raises:
        CommandError: Another live run uses `directory`, or a supervised process ended.
    """
    directory.mkdir(parents=True, exist_ok=True)
    owner = find_owner(directory)
    if owner is not None:
        raise CommandError(f"Process {owner} already uses {directory}. Stop it first.")
    stop_leftovers(directory)
    supervisor = ProcessSupervisor(directory)

    def on_failure(_number: int, _frame: FrameType | None) -> None:
        raise CommandError(supervisor.failure or "A supervised process ended.")

    def on_terminate(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    previous = {
        signal.SIGUSR1: signal.signal(signal.SIGUSR1, on_failure),
        signal.SIGTERM: signal.signal(signal.SIGTERM, on_terminate),
        signal.SIGHUP: signal.signal(signal.SIGHUP, on_terminate),
    }
    threading.Thread(target=supervisor.watch, daemon=True).start()
    try:
        yield supervisor
    except Exception as error:
        # The error may be only a consequence, such as a refused connection.
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        failure = supervisor.wait_for_failure(CAUSE_WAIT_S)
        if failure is None or str(error) == failure:
            raise
        raise CommandError(failure) from error
    finally:
        supervisor.stopping = True
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        supervisor.stop()
        (directory / PIDS_FILE).unlink(missing_ok=True)
        for number, handler in previous.items():
            signal.signal(number, handler)


def stop_leftovers(directory: Path) -> list[str]:
    """Stop the processes that an earlier run in `directory` left behind. Return their names."""
    ended = []
    for entry in reversed(_read_pids(directory).get("services", [])):
        if _find(entry) is not None:
            _stop_group(entry["pid"], None)
            ended.append(str(entry["name"]))
    (directory / PIDS_FILE).unlink(missing_ok=True)
    return ended


def find_owner(directory: Path) -> int | None:
    """Return the id of another live process that supervises a run in `directory`, or None."""
    owner = _find(_read_pids(directory).get("owner"))
    return owner.pid if owner is not None and owner.pid != os.getpid() else None


def _read_pids(directory: Path) -> dict[str, Any]:
    try:
        content = json.loads((directory / PIDS_FILE).read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _identity(pid: int) -> dict[str, Any]:
    """Return the pid with its start time: the kernel reuses pids."""
    try:
        return {"pid": pid, "start_time": psutil.Process(pid).create_time()}
    except psutil.Error:
        return {"pid": pid, "start_time": None}


def _find(identity: Any) -> psutil.Process | None:
    """Return the live process that `_identity` described, or None."""
    try:
        process = psutil.Process(identity["pid"])
        # A second of tolerance: the start time is derived from the system's boot time, which moves
        # when the clock is adjusted.
        same = abs(process.create_time() - identity["start_time"]) < 1
    except (psutil.Error, KeyError, TypeError):
        return None
    return process if same and process.status() != psutil.STATUS_ZOMBIE else None


def _stop_group(pid: int, process: "subprocess.Popen[bytes] | None") -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGTERM)
    deadline = time.monotonic() + TERMINATION_GRACE_S
    while time.monotonic() < deadline and _is_alive(pid, process):
        time.sleep(0.05)
    # A child in the group may outlive its leader.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    if process is not None:
        process.wait()


def _is_alive(pid: int, process: "subprocess.Popen[bytes] | None") -> bool:
    if process is not None:
        return process.poll() is None
    with contextlib.suppress(psutil.Error):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def _die_with_parent() -> None:
    """Ask the kernel to send SIGTERM to this process when its parent ends (prctl(2))."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def free_port() -> int:
    """Return a TCP port that is free on the loopback address now, another one at each call.

    Other processes of the user don't get it until this one ends. It isn't an ephemeral port: an
    outgoing connection could take such a port before a server that starts later listens on it.

    Raises:
        CommandError: No port is free.
    """
    start = random.SystemRandom().randrange(len(FREE_PORTS))
    ports: tuple[int, ...] = (*FREE_PORTS[start:], *FREE_PORTS[:start])
    for port in ports:
        if reserve_port(port):
            return port
    raise CommandError(f"No port from {FREE_PORTS[0]} to {FREE_PORTS[-1]} is free on 127.0.0.1.")


def reserve_port(port: int) -> bool:
    """Reserve a TCP port of the loopback address: `free_port` doesn't return it until this ends.

    Return False if a program listens on it, or if this or another process has reserved it.
    """
    if port in _returned_ports:
        return False
    with socket.socket() as probe, contextlib.suppress(OSError):
        probe.bind(("127.0.0.1", port))
        _reserve(port)
        _returned_ports.add(port)
        return True
    return False


def _reserve(port: int) -> None:
    """Reserve a port among the user's processes until this one ends, by a lock on one byte.

    Without it, two systems that start at the same time could choose the same port.

    Raises:
        OSError: Another process has reserved it.
    """
    descriptor = _reservations()
    if descriptor is not None:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)


@cache
def _reservations() -> int | None:
    """Return the descriptor of the file of the locks, or None if it can't be written.

    It stays open: closing it would release the locks (fcntl(2), "Record locking").
    """
    path = Path(tempfile.gettempdir(), f"aws-emulator-ports-{os.getuid()}")
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError:
        return None


def require_free_port(port: int, server: str, option: str) -> None:
    """Check that `port` is free on the loopback address.

    `option` is how the user chooses another port, for example "--port PORT".

    Raises:
        CommandError: Another program listens on the port.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise CommandError(
                f"Port {port} for {server} is in use. Stop the program that listens there, or "
                f"choose another port with {option}."
            ) from error


def wait_for_exit(pid: int) -> None:
    """Wait until a signalled process has ended; kill it after three grace periods."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        try:
            process.wait(timeout=3 * TERMINATION_GRACE_S)
        except psutil.TimeoutExpired:
            process.kill()
