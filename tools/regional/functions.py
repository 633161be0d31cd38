"""Environments of one function: AWS's runtime interface client, kept between invocations.

As in Lambda, an environment handles one invocation at a time, and a failed process is replaced.
"""

import contextlib
import json
import subprocess
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, Queue
from typing import Any, Final
from uuid import uuid4

from tools.paths import ROOT, UV
from tools.setup.locks import exclusive

PYTHON: Final = ROOT / ".venv-lambda" / "bin" / "python"
HANDLER: Final = "catalogue.handler.handler"
#: Also of the start: a busy computer is slower than AWS.
TIMEOUT_S: Final = 60.0
_PREFIX: Final = "/2018-06-01/runtime"


def install_requirements(folder: Path) -> list[str]:
    """Install the function's packages, and return its import path: also the code of src.

    Raises:
        CalledProcessError: Uv failed.
    """
    requirements = ROOT / "src" / "catalogue" / "requirements.txt"
    installed = folder / "requirements.txt"
    with exclusive(folder.with_suffix(".lock")):
        if not installed.exists() or installed.read_bytes() != requirements.read_bytes():
            command = [str(UV), "pip", "install", "-q", "--no-deps", "--require-hashes"]
            command += ["--python", str(PYTHON), "--target", str(folder), "-r", str(requirements)]
            subprocess.run(command, check=True)
            installed.write_bytes(requirements.read_bytes())
    return [str(ROOT / "src"), str(folder)]


@dataclass
class Environment:
    """One execution environment. `invoke` may be called by one thread at a time."""

    variables: Mapping[str, str]
    path: list[str]
    log: Path
    _events: "Queue[tuple[str, bytes] | None]" = field(default_factory=Queue)
    _results: "Queue[tuple[str, bytes, bool]]" = field(default_factory=Queue)
    _process: "subprocess.Popen[bytes] | None" = None
    _server: ThreadingHTTPServer | None = None

    def start(self) -> None:
        """Start the Runtime API and the function's process."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self._events, self._results))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self._spawn()

    def _spawn(self) -> None:
        assert self._server is not None
        address = f"127.0.0.1:{self._server.server_address[1]}"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(PYTHON), "-m", "awslambdaric", HANDLER],
                env={
                    **self.variables,
                    "PATH": "/usr/bin:/bin",
                    "PYTHONPATH": ":".join(self.path),
                    "AWS_LAMBDA_RUNTIME_API": address,
                    "AWS_LAMBDA_FUNCTION_NAME": "catalogue",
                    "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
                    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def invoke(self, event: object) -> Any:
        """Return the function's result, or None if it failed."""
        identity = str(uuid4())
        self._events.put((identity, json.dumps(event).encode()))
        waited_s = 0.0
        while waited_s < TIMEOUT_S:
            try:
                answered, body, is_error = self._results.get(timeout=0.5)
            except Empty:
                waited_s += 0.5
                if self._process is not None and self._process.poll() is not None:
                    break
                continue
            if answered == identity:
                return None if is_error else json.loads(body)
        self._replace()
        return None

    def _replace(self) -> None:
        self._end_process()
        with contextlib.suppress(Empty):
            while True:
                self._events.get_nowait()
        self._spawn()

    def _end_process(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """End the process and its Runtime API."""
        self._end_process()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()


class Function:
    """The environments of a function: as many as its reserved concurrency."""

    def __init__(
        self, variables: Mapping[str, str], path: list[str], log: Path, concurrency: int
    ) -> None:
        """`path` is the import path, `log` receives the output of all environments."""
        self._environments = [Environment(variables, path, log) for _ in range(concurrency)]
        self._idle: Queue[Environment] = Queue()

    @contextlib.contextmanager
    def running(self) -> Iterator["Function"]:
        """Start the environments, and stop them at the end of the context."""
        try:
            for environment in self._environments:
                environment.start()
                self._idle.put(environment)
            yield self
        finally:
            for environment in self._environments:
                environment.stop()

    def invoke(self, event: object) -> Any:
        """Return the result of an idle environment, or None if the function failed."""
        try:
            environment = self._idle.get(timeout=TIMEOUT_S)
        except Empty:
            return None
        try:
            return environment.invoke(event)
        finally:
            self._idle.put(environment)


def _handler(
    events: "Queue[tuple[str, bytes] | None]", results: "Queue[tuple[str, bytes, bool]]"
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # A header and a body in one packet each would wait for the other's acknowledgement.
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_GET(self) -> None:
            event = events.get()
            if event is None:
                return
            identity, body = event
            self.send_response(200)
            self.send_header("Lambda-Runtime-Aws-Request-Id", identity)
            self.send_header("Lambda-Runtime-Deadline-Ms", "4102444800000")
            self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:::catalogue")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            parts = self.path.removeprefix(_PREFIX).split("/")
            if len(parts) == 4 and parts[1] == "invocation":
                results.put((parts[2], body, parts[3] == "error"))
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_arguments: Any) -> None:
            """Write nothing: the function writes its own lines."""

    return Handler
