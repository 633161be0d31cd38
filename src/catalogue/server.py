"""Serve the catalogue by HTTP on port 8080: the same code in a container.

A thread has its own connections, so that a slow statement delays one request only.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, SimpleQueue
from typing import Any, Final

from catalogue.assembly import build
from catalogue.errors import CatalogueError, TooLargeError
from catalogue.http import MAX_BODY_BYTES, Request, Response
from catalogue.router import Router, refusal
from catalogue.settings import Settings, settings

PORT: Final = 8080
#: Longer than the load balancer's idle timeout, so that it never uses a connection that is closing.
IDLE_TIMEOUT_S: Final = 75
#: For the last answers of a stopping task; ECS kills it after 30 s.
DRAIN_S: Final = 25.0
MAX_ROUTERS: Final = 8


class Server(ThreadingHTTPServer):
    """An HTTP server whose threads borrow routers."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], named: Settings) -> None:
        """`address` is the host and port to listen on."""
        super().__init__(address, _Handler)
        self._settings = named
        self._idle: SimpleQueue[Router] = SimpleQueue()
        self._permits = threading.BoundedSemaphore(MAX_ROUTERS)
        self._answered = threading.Condition()
        self._open = 0
        self.is_stopping = False

    def stop(self) -> None:
        """Accept no connections any more, and close those that wait for a next request."""
        self.is_stopping = True
        threading.Thread(target=self.shutdown).start()

    def drain(self, timeout_s: float) -> bool:
        """Wait until all accepted requests are answered; return whether they are."""
        with self._answered:
            return self._answered.wait_for(lambda: self._open == 0, timeout_s)

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count a request until its answer is sent."""
        with self._answered:
            self._open += 1
        try:
            yield
        finally:
            with self._answered:
                self._open -= 1
                self._answered.notify_all()

    def respond(self, request: Request) -> Response:
        """Return the answer of a router that no other thread uses."""
        with self._permits:
            try:
                router = self._idle.get_nowait()
            except Empty:
                router = build(self._settings)
            try:
                return router.respond(request)
            finally:
                self._idle.put(router)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = IDLE_TIMEOUT_S
    server: Server

    def _serve(self) -> None:
        with self.server.counted():
            self._answer()

    def _answer(self) -> None:
        path, _, query = self.path.partition("?")
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            request = Request(self.command, path, query, headers, self._body(headers))
            response = self.server.respond(request)
        except CatalogueError as error:
            self.close_connection = True
            response = refusal(error)
        body = response.body.encode()
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if response.status != 304:
            self.send_header("Content-Length", str(len(body)))
        if self.server.is_stopping:
            # The base class closes the connection because of this header.
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def _body(self, headers: dict[str, str]) -> bytes:
        length = headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit() or int(length) > MAX_BODY_BYTES:
            raise TooLargeError("A request's body has at most 1 MB.")
        return self.rfile.read(int(length))

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = _serve  # noqa: N815

    def log_message(self, *_arguments: Any) -> None:
        """Write nothing: the router writes one line for each request."""


def main() -> None:
    """Serve until a signal ends the task, and answer the requests that have arrived.

    Raises:
        SettingsError: An environment variable is missing or invalid.
    """
    host = os.environ.get("CATALOGUE_LISTEN", "0.0.0.0")  # noqa: S104 # a container's own network
    server = Server((host, int(os.environ.get("PORT", str(PORT)))), settings())
    signal.signal(signal.SIGTERM, lambda *_: server.stop())
    server.serve_forever()
    server.drain(DRAIN_S)


if __name__ == "__main__":
    main()
