"""A page with the script tag, and a collector that records its requests, on a port of this host."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from tests.support.paths import ROOT

SCRIPT: Final = ROOT / "web" / "public" / "js" / "meridian.js"
PAGE: Final = """<!doctype html><html lang="en"><head><title>Lesson</title>
<link rel="icon" href="data:,">{before}
<script async src="/js/meridian.js" {attributes}></script></head>
<body><main><h1>Lesson</h1><button onclick="this.textContent='Opened'">Open</button></main></body>
</html>"""


@dataclass
class Site:
    """The site's address, the tag on its pages, and what its collector received.

    `answers` are the statuses and `Retry-After` of the next requests; then they are 200.
    """

    url: str
    attributes: str = 'data-write-key="a-key"'
    before: str = ""
    answers: list[tuple[int, str]] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)

    def events(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Return the events that were answered with 200, each once, as the lake keeps them."""
        accepted = {
            event["messageId"]: event
            for request in list(self.requests)
            if request["status"] == 200
            for event in request["body"]["batch"]
        }
        return [event for event in accepted.values() if kind in (None, event["type"])]

    def paths(self) -> list[str]:
        """Return the paths of the page views."""
        return [event["properties"]["path"] for event in self.events("page")]


@contextmanager
def served() -> Iterator[Site]:
    """Serve the page at every path, the script, and the collector's two endpoints."""
    site = Site("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path == "/js/meridian.js":
                self.answer(200, SCRIPT.read_bytes(), "text/javascript")
            else:
                page = PAGE.format(before=site.before, attributes=site.attributes)
                self.answer(200, page.encode(), "text/html")

        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["Content-Length"]))
            status, retry_after = site.answers.pop(0) if site.answers else (200, "")
            received = {"path": self.path, "status": status, "body": json.loads(text)}
            received |= {"cookie": self.headers["Cookie"], "type": self.headers["Content-Type"]}
            site.requests.append(received | {"bytes": len(text)})
            self.answer(status, b"{}", "application/json", retry_after)

        def answer(self, status: int, body: bytes, kind: str, retry_after: str = "") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            if retry_after:
                self.send_header("Retry-After", retry_after)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
            """Disable logging."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        site.url = f"http://localhost:{server.server_address[1]}"
        yield site
        server.shutdown()
