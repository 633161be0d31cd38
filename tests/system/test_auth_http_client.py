"""edge_auth's HTTP client against a real server on the loopback interface."""

import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs

import pytest

from edge_auth import http_client
from edge_auth.errors import FetchError, GrantError
from tests.support.http_server import serving

pytestmark = pytest.mark.integration


class Handler(BaseHTTPRequestHandler):
    """Responds with the status, size or delay that the path names."""

    def do_GET(self) -> None:
        kind, _, number = self.path.strip("/").partition("/")
        if kind == "size":
            self._respond(200, b"x" * int(number))
        elif kind == "redirect":
            self.send_response(302)
            self.send_header("Location", "/size/1")
            self.end_headers()
        elif kind == "slow":
            self.send_response(200)
            self.end_headers()
            for _ in range(50):
                time.sleep(0.1)
                try:
                    self.wfile.write(b"x")
                except OSError:
                    return
        else:
            self._respond(int(kind), b"{}")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        kind = self.path.strip("/")
        if kind == "echo":
            self._respond(200, json.dumps(form).encode())
        elif kind == "empty":
            self._respond(200, b"")
        elif kind == "unexpected":
            self._respond(200, b"[1]")
        else:
            self._respond(int(kind), b'{"error":"invalid_grant"}')

    def _respond(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Don't log requests."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with serving(Handler) as url:
        yield url


def test_response_limit_is_64_kb(server: str) -> None:
    assert len(http_client.get(f"{server}/size/65536")) == 65_536
    with pytest.raises(FetchError) as raised:
        http_client.get(f"{server}/size/65537")
    assert raised.value.code == "fetch_too_large"


@pytest.mark.parametrize("path", ["redirect", "404", "500", "206"])
def test_status_other_than_200_is_rejected(server: str, path: str) -> None:
    with pytest.raises(FetchError):
        http_client.get(f"{server}/{path}")


@pytest.mark.parametrize(
    "url",
    ["http://keys.example/x", "ftp://127.0.0.1/x", "file:///etc/passwd", "http:///x", "x"],
)
def test_plain_http_to_other_host_is_rejected(url: str) -> None:
    with pytest.raises(FetchError) as raised:
        http_client.get(url)
    assert raised.value.code == "fetch_insecure"


def test_refused_connection_raises_fetch_error() -> None:
    with pytest.raises(FetchError):
        http_client.get("http://127.0.0.1:9/")


def test_post_form_returns_json_object(server: str) -> None:
    assert http_client.post_form(f"{server}/echo", {"a": "b&c=d"}) == {"a": "b&c=d"}
    assert http_client.post_form(f"{server}/empty", {}) == {}


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("400", GrantError),
        ("401", GrantError),
        ("403", FetchError),
        ("500", FetchError),
        ("unexpected", FetchError),
    ],
)
def test_error_status_of_form_raises_error(server: str, path: str, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        http_client.post_form(f"{server}/{path}", {})
