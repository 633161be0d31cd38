"""Programs that run beside each other: started together, watched, and stopped whatever happens."""

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import psutil

from aws_emulator.errors import CommandError

#: Seconds that a program has to end by itself before it is killed.
GRACE_S = 8.0
#: Seconds between two looks at whether everything is still there.
WATCH_S = 0.3
_PR_SET_PDEATHSIG = 1


@dataclass
class Service:
    """One program of the system, and the file that holds what it says."""

    name: str
    process: "subprocess.Popen[bytes]"
    log: Path

    def end(self) -> str:
        """Say how the program ended: by which signal, or with which code and last word."""
        code = self.process.poll()
        if code is not None and code < 0:
            return f"was killed ({signal.Signals(-code).name})"
        return f"ended (exit {code}; its last word: {self.last_words() or 'none'})"

    def last_words(self) -> str:
        """Return the last line that the program said, for the sentence about its end."""
        with contextlib.suppress(OSError):
            lines = [line.strip() for line in self.log.read_text(errors="replace").splitlines()]
            return next((line for line in reversed(lines) if line), "")
        return ""


@dataclass
class Services:
    """The programs of one run. Use `running` to get one."""

    directory: Path
    started: list[Service] = field(default_factory=list)
    failure: str | None = None
    stopping: bool = False

    def start(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        ready: Callable[[], bool],
        timeout_s: float = 60.0,
    ) -> Service:
        """Start a program and wait until `ready` says yes.

        Raises CommandError if it ends first or is not ready within `timeout_s` seconds.
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
                # Safe here: one call of libc, and no thread of ours holds a lock that it takes.
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509
            )
        service = Service(name, process, log)
        self.started.append(service)
        self._remember()
        deadline = time.monotonic() + timeout_s
        while not ready():
            if process.poll() is not None:
                raise CommandError(f"The {name} did not start: {service.last_words() or 'no word'}")
            if time.monotonic() > deadline:
                raise CommandError(f"The {name} was not ready within {timeout_s:.0f} s ({log}).")
            time.sleep(0.05)
        return service

    def kill(self, name: str) -> None:
        """Kill one program in the middle of its work, on purpose. Raises CommandError."""
        found = [service for service in self.started if service.name == name]
        if not found:
            raise CommandError(f"There is no {name} to kill.")
        self.started = [service for service in self.started if service.name != name]
        self._remember()
        for service in found:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(service.process.pid, signal.SIGKILL)
            service.process.wait()

    def stop(self) -> None:
        """End every program, the last started first, with all of their children."""
        self.stopping = True
        for service in reversed(self.started):
            _end_group(service.process.pid, service.process)
        self.started.clear()
        self._remember()

    def watch(self) -> None:
        """Look after the programs until `stop`; the end of one ends the main thread's work."""
        while not self.stopping:
            for service in list(self.started):
                if service.process.poll() is not None and not self.stopping:
                    self.failure = f"The {service.name} {service.end()}, in the middle of the work."
                    os.kill(os.getpid(), signal.SIGUSR1)
                    return
            time.sleep(WATCH_S)

    def _remember(self) -> None:
        pids = [{"name": s.name, "pid": s.process.pid} for s in self.started]
        target = self.directory / "pids.json"
        target.write_text(json.dumps({"owner": os.getpid(), "services": pids}))


@contextlib.contextmanager
def running(directory: Path) -> Iterator[Services]:
    """Give a set of programs, and stop them all at the end, after an error or a signal too.

    Raises CommandError if another run that uses `directory` is still alive.
    """
    directory.mkdir(parents=True, exist_ok=True)
    owner = living_owner(directory)
    if owner is not None:
        raise CommandError(
            f"Another run is using {directory.name} (process {owner}): end it, or `make down`."
        )
    stop_leftovers(directory)
    services = Services(directory)

    def on_failure(_number: int, _frame: FrameType | None) -> None:
        raise CommandError(services.failure or "A part of the system ended.")

    def on_terminate(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {
        signal.SIGUSR1: signal.signal(signal.SIGUSR1, on_failure),
        signal.SIGTERM: signal.signal(signal.SIGTERM, on_terminate),
        signal.SIGHUP: signal.signal(signal.SIGHUP, on_terminate),
    }
    watcher = threading.Thread(target=services.watch, daemon=True)
    watcher.start()
    try:
        yield services
    finally:
        services.stopping = True
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        services.stop()
        (directory / "pids.json").unlink(missing_ok=True)
        for number, handler in before.items():
            signal.signal(number, handler)


def stop_leftovers(directory: Path) -> list[str]:
    """End the programs that an earlier run in `directory` left behind; return their names."""
    record = directory / "pids.json"
    try:
        known = json.loads(record.read_text())
    except (OSError, ValueError):
        return []
    ended = []
    for entry in reversed(known["services"]):
        # The pid may belong to somebody else by now: only what was started from here is ours.
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(entry["pid"])
            if any("local." in part for part in process.cmdline()):
                _end_group(entry["pid"], None)
                ended.append(str(entry["name"]))
    record.unlink(missing_ok=True)
    return ended


def living_owner(directory: Path) -> int | None:
    """Return the process that is running a system in `directory`, or None."""
    try:
        owner = int(json.loads((directory / "pids.json").read_text())["owner"])
        alive = any(part == "tools.dev" for part in psutil.Process(owner).cmdline())
    except (OSError, ValueError, KeyError, psutil.Error):
        return None
    return owner if alive and owner != os.getpid() else None


def _end_group(pid: int, process: "subprocess.Popen[bytes] | None") -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_S
    while time.monotonic() < deadline and _alive(pid, process):
        time.sleep(0.05)
    # The leader may be gone while a child of its group lives on.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    if process is not None:
        process.wait()


def _alive(pid: int, process: "subprocess.Popen[bytes] | None") -> bool:
    return process.poll() is None if process is not None else psutil.pid_exists(pid)


def _die_with_parent() -> None:
    """Have the kernel end this program when whoever started it is killed (prctl(2))."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def free_port() -> int:
    """Return a TCP port on the loopback address that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def require_free(port: int, name: str, variable: str) -> None:
    """Raise CommandError if `port` is taken, naming the variable that chooses another."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise CommandError(
                f"Port {port} for the {name} is in use: free it, or choose another "
                f"with {variable}=<port>."
            ) from error


def wait_for_end(pid: int) -> None:
    """Wait until a process that was told to end has ended; kill it if it takes too long."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        try:
            process.wait(timeout=3 * GRACE_S)
        except psutil.TimeoutExpired:
            process.kill()
