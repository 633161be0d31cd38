"""Start processes of functions as forks of a process that has imported boto3.

A new interpreter imports AWS's packages for half a second of CPU time before a function's own
modules. A fork has them already. `forked_process.py` runs this file by its path with the functions'
interpreter, so it imports nothing of this package.

fork_server.py CONTROL: the number of a SOCK_SEQPACKET socket. Its first message to the emulator is
the list of the preloaded top-level modules. Each message from the emulator is one request (JSON),
with two descriptors: the function's output and a channel. The channel receives the process ID, then
the exit status; the emulator sends signal numbers on it. The process ends when its channel closes,
and the server when the control socket closes.
"""

import contextlib
import gc
import importlib
import json
import os
import pathlib
import resource
import runpy
import selectors
import signal
import socket
import struct
import sys
import time
from typing import Any, Final

#: A process ID, an exit status as in `subprocess` (negative: a signal), or a signal number.
NUMBER: Final = struct.Struct("i")
MAX_REQUEST_BYTES: Final = 1 << 17
#: Each process imports it: it reads the environment and opens connections when it is imported.
CLIENT: Final = "awslambdaric"


def _preload() -> list[str]:
    """Import what functions import from the runtime, and return the loaded top-level modules."""
    # The file's own folder, from which a function must not import.
    sys.path.pop(0)
    for name in ("boto3", "simplejson", "snapshot_restore_py"):
        importlib.import_module(name)
    # The first client imports the modules that botocore imports late.
    sys.modules["boto3"].Session("none", "none", region_name="us-east-1").client("sts")
    gc.collect()
    gc.freeze()
    return sorted({name.partition(".")[0] for name in sys.modules})


class _Server:
    """Fork a process for each request until the control socket closes."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._selector = selectors.DefaultSelector()
        self._ended, self._wakeup = socket.socketpair()
        self._channels: dict[int, socket.socket] = {}
        for end in (self._ended, self._wakeup):
            end.settimeout(0)
        self._selector.register(control, selectors.EVENT_READ)
        self._selector.register(self._ended, selectors.EVENT_READ)

    def serve(self) -> dict[str, Any] | None:
        """Return the request in a new process; None if the control socket is closed."""
        signal.set_wakeup_fd(self._wakeup.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        # A command in the background of a shell ignores it already (POSIX, "Asynchronous Lists").
        self._interrupt_handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._control:
                    message, descriptors, *_ = socket.recv_fds(self._control, MAX_REQUEST_BYTES, 2)
                    if not message:
                        self._end()
                        return None
                    if self._fork(*descriptors):
                        return dict(json.loads(message))
                elif key.fileobj is self._ended:
                    self._ended.recv(4096)
                    self._report()
                elif key.data in self._channels:
                    self._pass_on(key.data)

    def _fork(self, output: int, channel: int) -> bool:
        """Return whether this is the new process."""
        process = os.fork()
        if process:
            os.close(output)
            connection = socket.socket(fileno=channel)
            self._channels[process] = connection
            self._selector.register(connection, selectors.EVENT_READ, process)
            _send(connection, process)
            return False
        self._close()
        os.close(channel)
        for standard in (1, 2):
            os.dup2(output, standard)
        os.close(output)
        return True

    def _pass_on(self, process: int) -> None:
        """Send a signal from the emulator to a process; kill it if the emulator has closed."""
        message = self._channels[process].recv(NUMBER.size)
        if len(message) == NUMBER.size:
            os.kill(process, NUMBER.unpack(message)[0])
        else:
            os.kill(process, signal.SIGKILL)
            self._selector.unregister(self._channels[process])

    def _report(self) -> None:
        """Send the exit status of each process that has ended."""
        for process in list(self._channels):
            ended, status = os.waitpid(process, os.WNOHANG)
            if ended:
                connection = self._channels.pop(process)
                if connection.fileno() in self._selector.get_map():
                    self._selector.unregister(connection)
                _send(connection, os.waitstatus_to_exitcode(status))
                connection.close()

    def _end(self) -> None:
        """Kill all processes: the emulator has ended."""
        for process in self._channels:
            os.kill(process, signal.SIGKILL)
        self._close()

    def _close(self) -> None:
        """Restore the signal handlers of an interpreter's start, and close the sockets."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, self._interrupt_handler)
        self._selector.close()
        for connection in (self._control, self._ended, self._wakeup, *self._channels.values()):
            connection.close()


def _send(connection: socket.socket, number: int) -> None:
    with contextlib.suppress(OSError):  # the emulator no longer waits for the process
        connection.send(NUMBER.pack(number))


def process_name(handler: str) -> str:
    """Return the name of a function's process: the end of its module's name, in 15 characters."""
    return handler.rpartition(".")[0][-15:]


def _enter(request: dict[str, Any]) -> None:
    """Give this process the environment, limit, folder and path of `python -m awslambdaric`."""
    # Python sets LC_CTYPE at its start if the locale of LANG isn't installed.
    locale = {name: os.environ[name] for name in ("LC_CTYPE",) if name in os.environ}
    os.environ.clear()
    os.environ.update(locale | request["environment"])
    time.tzset()
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (request["data_bytes"], hard))
    folder = request["folder"]
    os.chdir(folder)
    # `-m` adds the current folder, PYTHONPATH the package.
    sys.path[:0] = [folder, *request["environment"]["PYTHONPATH"].split(os.pathsep)]
    sys.argv = ["-m", request["handler"]]
    # For `ps` and `top`: the command line stays the server's.
    with pathlib.Path("/proc/self/comm").open("w") as name:
        name.write(process_name(request["handler"]))


def main() -> None:
    """Serve; in a new process, run the function until it ends."""
    control = socket.socket(fileno=int(sys.argv[1]))
    control.send(json.dumps(_preload()).encode())
    request = _Server(control).serve()
    if request is not None:
        _enter(request)
        runpy.run_module(CLIENT, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
