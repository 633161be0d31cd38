"""The Lambda Runtime API for one invocation, on the loopback address.

`aws_emulator.invoke` starts AWS's runtime interface client with the address of a `RuntimeApi`.
Source: Lambda developer guide, "Using the Lambda runtime API for custom runtimes".
"""

import contextlib
import json
import re
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

_PREFIX: Final = "/2018-06-01/runtime"
_RESULT: Final = re.compile(rf"{_PREFIX}/invocation/([^/]+)/(response|error)")
_INVALID_REQUEST_ID: Final = {
    "errorType": "InvalidRequestID",
    "errorMessage": "Invalid request ID",
}


@dataclass(frozen=True)
class Invocation:
    """The invocation data that the function receives."""

    request_id: str
    payload: bytes
    function_arn: str
    timeout_s: float
    trace_id: str = "Root=1-00000000-000000000000000000000000;Sampled=0"


@dataclass(frozen=True)
class Outcome:
    """The runtime's result. `error` is the error document, or None; `response` is the payload."""

    response: bytes = b""
    error: dict[str, Any] | None = None


@dataclass
class RuntimeApi:
    """The state of one invocation. `serve` opens its server.

    `started` is set when the module is imported, `finished` when the runtime has reported
    `outcome`.
    """

    invocation: Invocation
    started: threading.Event = field(default_factory=threading.Event)
    finished: threading.Event = field(default_factory=threading.Event)
    outcome: Outcome | None = None
    _stopped: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextlib.contextmanager
    def serve(self) -> Iterator[str]:
        """Yield the address for AWS_LAMBDA_RUNTIME_API: host and port."""
        server = _Server(self)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            self._stopped.set()
            server.shutdown()
            thread.join()
            server.server_close()

    def next(self) -> Invocation | None:
        """Return the invocation on the first call. Later calls wait, and return None at the end."""
        with self._lock:
            if not self.started.is_set():
                self.started.set()
                return self.invocation
        self._stopped.wait()
        return None

    def finish(self, outcome: Outcome) -> bool:
        """Record the outcome. Return False if there is one already.

        The caller sets `finished`, after its answer to the runtime: the process is stopped then.
        """
        with self._lock:
            if self.outcome is not None:
                return False
            self.outcome = outcome
            return True


class _Handler(BaseHTTPRequestHandler):
    """Answer requests for the `RuntimeApi` of its server."""

    server: "_Server"
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's
        """Write no access log."""

    def do_GET(self) -> None:
        """Serve the next invocation."""
        if self.path != f"{_PREFIX}/invocation/next":
            self._answer(404, {"errorType": "InvalidPath", "errorMessage": self.path})
            return
        invocation = self.server.api.next()
        if invocation is None:
            self.close_connection = True
            return
        deadline_ms = int((time.time() + invocation.timeout_s) * 1000)
        headers = {
            "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
            "Lambda-Runtime-Deadline-Ms": str(deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": invocation.function_arn,
            "Lambda-Runtime-Trace-Id": invocation.trace_id,
        }
        self._send(200, invocation.payload, headers)

    def do_POST(self) -> None:
        """Serve the response, the error and the initialization error."""
        body = self._body()
        if self.path == f"{_PREFIX}/init/error":
            self._finish(Outcome(error=_error_document(body)))
        elif (result := _RESULT.fullmatch(self.path)) is None:
            self._answer(404, {"errorType": "InvalidPath", "errorMessage": self.path})
        elif result[1] != self.server.api.invocation.request_id:
            self._answer(400, _INVALID_REQUEST_ID)
        elif result[2] == "error":
            self._finish(Outcome(error=_error_document(body)))
        else:
            self._finish(Outcome(response=body))

    def _finish(self, outcome: Outcome) -> None:
        if self.server.api.finish(outcome):
            try:
                self._answer(202, {"status": "OK"})
            finally:
                self.server.api.finished.set()
        else:
            self._answer(400, _INVALID_REQUEST_ID)

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _answer(self, status: int, document: dict[str, str]) -> None:
        self._send(status, json.dumps(document).encode(), {})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class LoopbackServer(ThreadingHTTPServer):
    """A server on a free loopback port. It ignores connections that the other side closed."""

    daemon_threads = True

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a closed connection, and print other errors."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Server(LoopbackServer):
    def __init__(self, api: RuntimeApi) -> None:
        super().__init__(_Handler)
        self.api = api


def _error_document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if isinstance(document, dict):
        return document
    return {"errorType": "Runtime.Unknown", "errorMessage": body.decode(errors="replace")}
