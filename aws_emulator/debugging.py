"""Run a function from its source under a debugger (debugpy), without time and memory limits.

`debug_package` composes a package of sources. `DebugSession` starts AWS's runtime interface client
under debugpy, which waits for a client. `invoke` invokes the function once; `serve` takes over the
function's invocations of a running emulator until it is interrupted.
"""

import contextlib
import json
import os
import queue
import shutil
import subprocess
import threading
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode
from uuid import uuid4

from aws_emulator.built_functions import BuiltFunction
from aws_emulator.errors import CommandError
from aws_emulator.invoke import Deployment, Result, environment, result_of, stop
from aws_emulator.runtime_api import Invocation, LoopbackServer, Outcome, RuntimeApi

#: The value of `context.get_remaining_time_in_millis` at the start: a day.
TIMEOUT_S: Final = 86_400
DEFAULT_PORT: Final = 5678
_POLL_S: Final = 0.05


@dataclass(frozen=True)
class Debugger:
    """`python` has awslambdaric, `debugpy` is the folder of that package. `port` is the listener's.

    Both interpreters must have the same version, because debugpy has compiled parts.
    """

    python: Path
    debugpy: Path
    port: int = DEFAULT_PORT


def debug_package(
    function: BuiltFunction, source: Path, folder: Path, added: dict[str, bytes] | None = None
) -> BuiltFunction:
    """Return the function with a package in `folder` whose own modules are the files in `source`.

    A built package can consist of bytecode without line numbers. The new package has links: to the
    source of each top-level module that `source` has, and to the built package for the rest. So a
    breakpoint needs one path mapping, from `source` to `folder`. `added` has further files.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    own = {it.stem if it.suffix == ".py" else it.name for it in source.iterdir()}
    for entry in function.directory.iterdir():
        name = entry.name.partition(".")[0] if entry.is_file() else entry.name
        target = entry
        if name in own:
            target = source / name if (source / name).is_dir() else source / f"{name}.py"
        (folder / target.name).symlink_to(target.resolve())
    for name, content in (added or {}).items():
        (folder / name).unlink(missing_ok=True)
        (folder / name).write_bytes(content)
    return replace(function, directory=folder, timeout_s=TIMEOUT_S)


@dataclass
class _Queue(RuntimeApi):
    """A Runtime API for any number of invocations, one at a time."""

    _pending: "queue.SimpleQueue[Invocation]" = field(default_factory=queue.SimpleQueue)

    def next(self) -> Invocation | None:
        """Wait for an invocation; return None at the end."""
        self.started.set()
        while not self._stopped.is_set():
            with contextlib.suppress(queue.Empty):
                self.invocation = self._pending.get(timeout=_POLL_S)
                return self.invocation
        return None

    def submit(self, invocation: Invocation) -> None:
        """Give the runtime an invocation. The result of the one before was taken."""
        self.outcome = None
        self.finished.clear()
        self._pending.put(invocation)


class DebugSession:
    """A function's process under debugpy. `output` receives each line that it prints."""

    def __init__(
        self,
        function: BuiltFunction,
        deployment: Deployment,
        debugger: Debugger,
        output: Callable[[str], None],
    ) -> None:
        self._function = function
        self._deployment = deployment
        self._debugger = debugger
        self._output = output
        self._api = _Queue(Invocation("", b"", deployment.function_arn, TIMEOUT_S))
        self._turn = threading.Lock()
        self._lines: list[str] = []
        self._process: subprocess.Popen[bytes] | None = None

    @contextlib.contextmanager
    def start(self, temporary: Path) -> Iterator[None]:
        """Start the process, and stop it at the end. It runs no code until a client attaches.

        Raises:
            CommandError: The interpreter or debugpy is missing.
        """
        debugger = self._debugger
        for path in (debugger.python, debugger.debugpy):
            if not path.exists():
                raise CommandError(f"{path} does not exist. Create the environments: make setup")
        # Only debugpy becomes importable, not the other packages beside it.
        tools = temporary / "debugger"
        tools.mkdir(parents=True)
        (tools / "debugpy").symlink_to(debugger.debugpy.resolve())
        with self._api.serve() as address:
            variables = environment(self._function, self._deployment, address, str(temporary))
            variables["PYTHONPATH"] = f"{self._function.directory}{os.pathsep}{tools}"
            # Python is built with frozen modules, of which a debugger needs the files.
            variables["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"
            process = subprocess.Popen(
                self._command(),
                cwd=self._function.directory,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            self._process = process
            reader = threading.Thread(target=self._read, args=(process,))
            reader.start()
            try:
                yield
            finally:
                stop(process, reader)

    def invoke(self, invocation: Invocation) -> Outcome:
        """Invoke the function and wait for the result, however long the debugger stops it."""
        with self._turn:
            self._api.submit(invocation)
            while not self._api.finished.wait(_POLL_S):
                if not self.alive:
                    message = "The debugged process ended. Start the command again."
                    error = {"errorType": "Runtime.ExitError", "errorMessage": message}
                    return Outcome(error=error)
            assert self._api.outcome is not None
            return self._api.outcome

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def take_lines(self) -> str:
        """Return the lines since the last call, for the function's log."""
        taken, self._lines = self._lines, []
        return "\n".join(taken)

    def _command(self) -> Sequence[str]:
        listener = f"127.0.0.1:{self._debugger.port}"
        python = [str(self._debugger.python), "-X", "frozen_modules=off", "-m", "debugpy"]
        return [
            *python,
            *("--listen", listener, "--wait-for-client", "-m", "awslambdaric"),
            self._function.handler,
        ]

    def _read(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdout is not None
        with contextlib.suppress(ValueError):
            for line in process.stdout:
                for part in line.decode(errors="replace").rstrip("\r\n").split("\r"):
                    self._lines.append(part)
                    self._output(part)


def invoke(session: DebugSession, event: Any, function_arn: str) -> Result:
    """Invoke the function once and return its result."""
    invocation = Invocation(str(uuid4()), json.dumps(event).encode(), function_arn, TIMEOUT_S)
    return result_of(invocation.request_id, session.invoke(invocation))


@contextlib.contextmanager
def take_over(session: DebugSession, endpoint: str, function_arn: str) -> Iterator[None]:
    """Send the function's invocations of a running emulator to the session, until the end.

    Raises:
        CommandError: The emulator doesn't answer.
    """
    server = _Server(session)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": _POLL_S})
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_address[1]}"
        _control(endpoint, "POST", {"arn": function_arn, "url": url})
        try:
            yield
        finally:
            # The emulator may have stopped first.
            with contextlib.suppress(CommandError):
                _control(endpoint, "DELETE", {"arn": function_arn})
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _control(endpoint: str, method: str, query: dict[str, str]) -> None:
    url = f"{endpoint}/_local/debugged-functions?{urlencode(query)}"
    request = urllib.request.Request(url, method=method)
    try:
        urllib.request.urlopen(request, timeout=10).close()
    except OSError as error:
        raise CommandError(f"The emulator at {endpoint} doesn't answer: {error}.") from error


class _Forwarded(BaseHTTPRequestHandler):
    """Answer the invocations that the emulator forwards."""

    server: "_Server"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's
        """Write no access log."""

    def do_POST(self) -> None:
        """Invoke the function and answer with its result, in MiniStack's form."""
        forwarded = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        payload = json.dumps(forwarded["event"]).encode()
        invocation = Invocation(forwarded["request_id"], payload, forwarded["arn"], TIMEOUT_S)
        session = self.server.session
        result = result_of(invocation.request_id, session.invoke(invocation))
        answer: dict[str, Any] = {"body": result.response, "log": session.take_lines()}
        if result.error is not None:
            answer = {**answer, "body": result.error, "error": True}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _Server(LoopbackServer):
    def __init__(self, session: DebugSession) -> None:
        super().__init__(_Forwarded)
        self.session = session
