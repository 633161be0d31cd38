"""Fixtures of the integration tests: a deployed distribution and a client."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from pytest_socket import enable_socket

from aws_emulator.tests.cloudfront.deployment import deploy
from aws_emulator.tests.cloudfront.harness import (
    Environment,
    emulator,
    running_edge_location,
    scratch,
)


class EchoOrigin(BaseHTTPRequestHandler):
    """A custom origin that returns the request it received as JSON."""

    protocol_version = "HTTP/1.1"

    def respond(self) -> None:
        if self.path.startswith("/live/slow"):
            time.sleep(6)
        length = int(self.headers.get("Content-Length", 0))
        received = {
            "method": self.command,
            "path": self.path,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body": self.rfile.read(length).decode(),
        }
        body = json.dumps(received).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        if self.path.startswith("/live/chunked"):
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for at in range(0, len(body), 50):
                part = body[at : at + 50]
                self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
            self.wfile.write(b"0\r\n\r\n")
            return
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_POST = do_HEAD = do_DELETE = do_PUT = respond  # noqa: N815 - http.server calls these names

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="package")
def environment() -> Iterator[Environment]:
    enable_socket()
    server = ThreadingHTTPServer(("127.0.0.1", 0), EchoOrigin)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with scratch() as directory, emulator(directory) as (aws, _):
        distribution, _ = deploy(aws, server.server_address[1])
        with running_edge_location(aws, directory) as (edge, _, log):
            yield Environment(aws, edge, distribution, log)
    server.shutdown()
    server.server_close()


@pytest.fixture
def web(environment: Environment) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=environment.edge, timeout=40) as client:
        yield client
