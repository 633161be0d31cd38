"""HTTP to Cognito, against a real server on this machine."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest

from edge_auth import fetch
from edge_auth.errors import FetchError, GrantError

pytestmark = pytest.mark.integration


class Answering(BaseHTTPRequestHandler):
    """Answers as its path says."""

    def do_GET(self) -> None:
        kind, _, number = self.path.strip("/").partition("/")
        if kind == "size":
            self._answer(200, b"x" * int(number))
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
            self._answer(int(kind), b"{}")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        kind = self.path.strip("/")
        if kind == "echo":
            self._answer(200, json.dumps(form).encode())
        elif kind == "empty":
            self._answer(200, b"")
        elif kind == "odd":
            self._answer(200, b"[1]")
        else:
            self._answer(int(kind), b'{"error":"invalid_grant"}')

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    it = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=it.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{it.server_port}"
    it.shutdown()
    it.server_close()
    thread.join()


def test_64_kb_and_one_byte_more(server: str) -> None:
    assert len(fetch.get(f"{server}/size/65536")) == 65_536
    with pytest.raises(FetchError) as refused:
        fetch.get(f"{server}/size/65537")
    assert refused.value.code == "fetch_too_large"


@pytest.mark.parametrize("path", ["redirect", "404", "500", "206"])
def test_only_a_200_is_an_answer(server: str, path: str) -> None:
    with pytest.raises(FetchError):
        fetch.get(f"{server}/{path}")


def test_a_server_that_drips_is_left(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "TIMEOUT", 0.4)
    started = time.monotonic()
    with pytest.raises(FetchError):
        fetch.get(f"{server}/slow")
    assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    "address",
    ["http://keys.example/x", "ftp://127.0.0.1/x", "file:///etc/passwd", "http:///x", "x"],
)
def test_plain_http_stays_on_this_machine(address: str) -> None:
    with pytest.raises(FetchError) as refused:
        fetch.get(address)
    assert refused.value.code == "fetch_insecure"


def test_nobody_listens() -> None:
    with pytest.raises(FetchError):
        fetch.get("http://127.0.0.1:9/")


def test_a_form_and_its_answer(server: str) -> None:
    assert fetch.post_form(f"{server}/echo", {"a": "b&c=d"}) == {"a": "b&c=d"}
    assert fetch.post_form(f"{server}/empty", {}) == {}


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("400", GrantError),
        ("401", GrantError),
        ("403", FetchError),
        ("500", FetchError),
        ("odd", FetchError),
    ],
)
def test_a_refused_form(server: str, path: str, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        fetch.post_form(f"{server}/{path}", {})
