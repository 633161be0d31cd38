"""The download of signing keys at deployment, against servers on the loopback interface."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest
from pytest_socket import enable_socket

from edge_settings import aws_clients
from edge_settings.errors import SigningKeysError
from tests.support.http_server import serving

pytestmark = pytest.mark.integration

KEYS = {"keys": [{"kid": "one"}]}


class Handler(BaseHTTPRequestHandler):
    """Responds with a key set at /keys, and with the redirect that another path names."""

    def do_GET(self) -> None:
        if self.path == "/keys":
            body = json.dumps(KEYS).encode()
            self.send_response(200)
        else:
            body = b""
            self.send_response(int(self.path.strip("/")))
            self.send_header("Location", "/keys")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Don't log requests."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    enable_socket()
    with serving(Handler) as url:
        yield url


def test_key_set_is_returned(server: str) -> None:
    keys, time_s = aws_clients.download_jwks(f"{server}/keys")
    assert keys == KEYS
    # A time of another unit, such as milliseconds, would make the keys look new for ever.
    assert 1_700_000_000 < time_s < 17_000_000_000


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_refused(server: str, status: int) -> None:
    with pytest.raises(SigningKeysError):
        aws_clients.download_jwks(f"{server}/{status}")
