"""Processes of functions that `fork_server.py` starts, with the interface of `subprocess.Popen`."""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from aws_emulator.ministack.fork_server import NUMBER

#: The server imports boto3 first, on a busy machine in seconds.
MAX_START_S: Final = 60.0
_SERVER: Final = Path(__file__).with_name("fork_server.py")
#: Variables of Python that the server applies. Others change an interpreter while it starts.
_APPLIED_VARIABLES: Final = frozenset({"PYTHONPATH", "PYTHONNOUSERSITE"})
_MAX_LIST_BYTES: Final = 1 << 17


class ForkedProcess:
    """A process of a function, as far as MiniStack uses `subprocess.Popen`."""

    def __init__(self, channel: socket.socket, output: int) -> None:
        """Wait for the process ID; `output` is the reading end of the process's pipe.

        Raises:
            OSError: The server has ended.
        """
        self.stdout = os.fdopen(output, "rb")
        self.returncode: int | None = None
        self._channel = channel
        self._guard = threading.Lock()
        message = channel.recv(NUMBER.size)
        if len(message) < NUMBER.size:
            raise OSError("the server of the functions' processes has ended")
        self.pid: int = NUMBER.unpack(message)[0]

    def poll(self) -> int | None:
        """Return the exit status, or None while the process runs."""
        with self._guard:
            if self.returncode is None and select.select([self._channel], [], [], 0)[0]:
                message = self._channel.recv(NUMBER.size)
                complete = len(message) == NUMBER.size
                self.returncode = NUMBER.unpack(message)[0] if complete else -signal.SIGKILL
                self._channel.close()
            return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end of the process and return its exit status.

        Raises:
            subprocess.TimeoutExpired: The process still runs after `timeout` seconds.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while (status := self.poll()) is None:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise subprocess.TimeoutExpired("fork_server.py", timeout or 0)
            # Another thread may read the status and close the channel meanwhile.
            with contextlib.suppress(OSError, ValueError):
                select.select([self._channel], [], [], left)
        return status

    def send_signal(self, number: int) -> None:
        """Send a signal unless the process has ended. The server knows whether it has."""
        if self.poll() is None:
            with contextlib.suppress(OSError):
                self._channel.send(NUMBER.pack(number))

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)


class ForkServer:
    """Start the server at the first process, and again if it has ended."""

    def __init__(self, python: Path, environment: Mapping[str, str]) -> None:
        """Set the functions' interpreter and the environment in which it starts."""
        self._command = [str(python), str(_SERVER)]
        self._environment = dict(environment)
        self._guard = threading.Lock()
        self._control: socket.socket | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self._preloaded: frozenset[str] = frozenset()

    def start(
        self, folder: Path, handler: str, environment: Mapping[str, str], data_bytes: int
    ) -> ForkedProcess | None:
        """Start `python -m awslambdaric HANDLER` in `folder`, or return None.

        None: the package has a module that the server has already imported from the runtime, or
        `environment` has a setting of the interpreter. Such a function needs a new interpreter.

        Raises:
            OSError: The server can't start.
        """
        if any(it.startswith("PYTHON") for it in set(environment) - _APPLIED_VARIABLES):
            return None
        request = {
            "folder": str(folder),
            "handler": handler,
            "environment": dict(environment),
            "data_bytes": data_bytes,
        }
        with self._guard:
            control = self._connect()
            if not self._preloaded.isdisjoint(it.name.partition(".")[0] for it in folder.iterdir()):
                return None
            return _request(control, request)

    def close(self) -> None:
        """End the server and its processes."""
        if self._control is not None and self._server is not None:
            self._control.close()
            self._server.wait()
        self._control = self._server = None

    def _connect(self) -> socket.socket:
        if self._control is not None and self._server is not None and self._server.poll() is None:
            return self._control
        self.close()
        self._control, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with other:
            self._server = subprocess.Popen(
                [*self._command, str(other.fileno())],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                pass_fds=[other.fileno()],
            )
        self._control.settimeout(MAX_START_S)
        message = self._control.recv(_MAX_LIST_BYTES)
        if not message:
            raise OSError("the server of the functions' processes ended while it started")
        self._preloaded = frozenset(json.loads(message))
        return self._control


def _request(control: socket.socket, request: dict[str, Any]) -> ForkedProcess:
    """Let the server start a process."""
    channel, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    reader, writer = os.pipe()
    try:
        socket.send_fds(control, [json.dumps(request).encode()], [writer, other.fileno()])
    finally:
        other.close()
        os.close(writer)
    return ForkedProcess(channel, reader)
