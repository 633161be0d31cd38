"""An Application Load Balancer's listener with one function as its target.

Source: Elastic Load Balancing, "Use Lambda functions as targets of an Application Load Balancer".
Path and query stay encoded; multi-value headers are on; bodies have at most 1 MB.
"""

import base64
import json
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from uuid import uuid4

HOST: Final = "127.0.0.1"
#: The balancer itself asks it on AWS, and here the health checks of the names, without the key.
HEALTH_PATH: Final = "/catalogue/health"
MAX_BODY_BYTES: Final = 1_000_000
#: Bodies of other types reach the function in Base64.
_TEXT_TYPES: Final = ("text/", "application/json", "application/javascript", "application/xml")
_ARN: Final = "arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/catalogue/0"

type Invoke = Callable[[dict[str, Any]], Any]
#: Whether a request with this header X-Origin-Verify is forwarded.
type Admit = Callable[[str | None], bool]


def event_of(
    method: str, target: str, headers: list[tuple[str, str]], body: bytes
) -> dict[str, Any]:
    """Return the event of a request. `target` is path and query, as sent."""
    path, _, query = target.partition("?")
    parameters: dict[str, list[str]] = {}
    for pair in filter(None, query.split("&")):
        name, _, value = pair.partition("=")
        parameters.setdefault(name, []).append(value)
    several: dict[str, list[str]] = {}
    for name, value in headers:
        several.setdefault(name.lower(), []).append(value)
    content_type = several.get("content-type", ["text/plain"])[0]
    is_text = content_type.startswith(_TEXT_TYPES) and "content-encoding" not in several
    return {
        "requestContext": {"elb": {"targetGroupArn": _ARN}},
        "httpMethod": method,
        "path": path,
        "multiValueQueryStringParameters": parameters,
        "multiValueHeaders": several
        | {"x-amzn-trace-id": [f"Root={uuid4()}"], "x-forwarded-proto": ["http"]},
        "body": body.decode(errors="replace") if is_text else base64.b64encode(body).decode(),
        "isBase64Encoded": not is_text,
    }


def answer_of(result: Any) -> tuple[int, list[tuple[str, str]], bytes]:
    """Return status, headers and body of a function's result; 502 for a malformed one."""
    malformed = (502, [("Content-Type", "text/html")], b"<h1>502 Bad Gateway</h1>")
    if not isinstance(result, Mapping) or type(result.get("statusCode")) is not int:
        return malformed
    # With multi-value headers on, the load balancer ignores `headers`.
    headers = result.get("multiValueHeaders") or {}
    text = result.get("body") or ""
    body = base64.b64decode(text) if result.get("isBase64Encoded") else str(text).encode()
    if len(json.dumps(result)) > MAX_BODY_BYTES:
        return malformed
    return result["statusCode"], [(name, it) for name in headers for it in headers[name]], body


def listener(
    port: int, invoke: Invoke, admit: Admit = lambda _: True, host: str = HOST
) -> ThreadingHTTPServer:
    """Return a listener that isn't serving yet.

    Args:
        port: The port.
        invoke: Invokes the function, and returns its result or None.
        admit: Whether the header X-Origin-Verify is that of CloudFront; by default all are.
        host: The loopback address.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1
        timeout = 60

        def serve(self) -> None:
            length = self.headers.get("Content-Length", "0")
            if not length.isdigit() or int(length) > MAX_BODY_BYTES:
                self.close_connection = True
                self.answer(413, [], b"<h1>413 Request Entity Too Large</h1>")
                return
            body = self.rfile.read(int(length))
            is_check = self.path == HEALTH_PATH
            if not is_check and not admit(self.headers.get("X-Origin-Verify")):
                self.answer(403, [], b"<h1>403 Forbidden</h1>")
                return
            headers = list(self.headers.items())
            self.answer(*answer_of(invoke(event_of(self.command, self.path, headers, body))))

        def answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            if status != 304:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else body)
            self.wfile.flush()

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = serve  # noqa: N815

        def log_message(self, *_arguments: Any) -> None:
            """Write nothing: the function writes one line for each request."""

    class Listener(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 256

    return Listener((host, port), Handler)
