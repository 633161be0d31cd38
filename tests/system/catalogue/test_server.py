"""The catalogue as a server in a container: HTTP in, the same router, and an orderly end."""

import http.client
import json
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from pytest_socket import enable_socket

from aws_emulator.processes import free_port
from catalogue import server
from catalogue.http import MAX_BODY_BYTES, Request, Response
from tests.support.paths import ROOT
from tests.support.waiting import wait_until
from tools.paths import UV
from tools.regional.functions import PYTHON

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

HOST = "127.0.0.1"
DOCKERFILE = ROOT / "stacks" / "catalogue" / "Dockerfile"
ENVIRONMENT = {
    "AWS_REGION": "us-east-1",
    "HOME_REGION": "us-east-1",
    "CATALOGUE_READER": f"{HOST}:9",
    "CATALOGUE_WRITER": f"{HOST}:9",
    "CATALOGUE_AUTH": "trust",
    "CATALOGUE_DATABASE": "catalogue",
    "CATALOGUE_USER": "catalogue_app",
    "CATALOGUE_HEALTH": "process",
    "CATALOGUE_LISTEN": HOST,
    "STAFF_ISSUER": "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_Example",
    "STAFF_CLIENTS": "client",
    "STAFF_KEYS": '{"keys":[]}',
}


@dataclass
class Router:
    """Answers with the request that it got, after `may_answer` is set."""

    requests: list[Request] = field(default_factory=list)
    may_answer: threading.Event = field(default_factory=threading.Event)

    def respond(self, request: Request) -> Response:
        self.requests.append(request)
        assert self.may_answer.wait(60)
        return Response(200, {"X-Region": "us-east-1"}, json.dumps([request.path, request.query]))


@dataclass
class Running:
    """A server in a thread of this process, with a router of the test."""

    server: server.Server
    thread: threading.Thread
    router: Router
    connections: list[http.client.HTTPConnection] = field(default_factory=list)

    def connect(self) -> http.client.HTTPConnection:
        """Return a connection, which the end of the test closes."""
        connection = http.client.HTTPConnection(HOST, self.server.server_address[1], timeout=60)
        self.connections.append(connection)
        return connection


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    enable_socket()
    router = Router()
    monkeypatch.setattr(server, "build", lambda _: router)
    served = server.Server((HOST, 0), cast("Any", None))
    thread = threading.Thread(target=served.serve_forever, daemon=True)
    thread.start()
    with_connections = Running(served, thread, router)
    yield with_connections
    router.may_answer.set()
    for connection in with_connections.connections:
        connection.close()
    served.shutdown()
    served.server_close()


def test_request_reaches_the_router_as_it_was_sent(running: Running) -> None:
    running.router.may_answer.set()
    connection = running.connect()
    target = "/catalogue/courses/a%2Fb?q=%E0%A4%97&q=x"
    connection.request("PUT", target, body=b"\x00\xff", headers={"Idempotency-Key": "k"})
    answer = connection.getresponse()
    assert json.loads(answer.read()) == ["/catalogue/courses/a%2Fb", "q=%E0%A4%97&q=x"]
    assert (answer.status, answer.headers["X-Region"]) == (200, "us-east-1")
    (request,) = running.router.requests
    assert (request.method, request.body) == ("PUT", b"\x00\xff")
    assert request.headers["idempotency-key"] == "k"
    # The load balancer uses the connection again.
    connection.request("GET", "/catalogue/health")
    second = connection.getresponse()
    assert (second.status, bool(second.read())) == (200, True)


@pytest.mark.parametrize("length", [str(MAX_BODY_BYTES + 1), "-1", "one"])
def test_body_that_is_too_large_or_without_a_length_is_refused(
    running: Running, length: str
) -> None:
    connection = running.connect()
    connection.putrequest("PUT", "/catalogue/staff/courses/a")
    connection.putheader("Content-Length", length)
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 413
    assert json.loads(answer.read())["code"]
    assert running.router.requests == []


def test_stopping_server_answers_the_requests_that_have_arrived(running: Running) -> None:
    connection = running.connect()
    connection.request("GET", "/catalogue/courses")
    wait_until(lambda: running.router.requests, "the request", 60)
    running.server.stop()
    running.thread.join(60)
    assert not running.thread.is_alive()
    assert running.server.drain(0.0) is False
    running.router.may_answer.set()
    answer = connection.getresponse()
    assert (answer.status, answer.headers["Connection"]) == (200, "close")
    assert answer.read()
    assert running.server.drain(60) is True


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the Dockerfile copies and installs, and nothing else."""
    folder = tmp_path_factory.mktemp("image")
    for source, target in re.findall(
        r"^COPY --chmod=755 (\S+) (\S+)$", DOCKERFILE.read_text(), re.MULTILINE
    ):
        original = ROOT / "src" / source
        if original.is_dir():
            shutil.copytree(original, folder / target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(original, folder / target)
    command = [str(UV), "pip", "install", "-q", "--no-deps", "--require-hashes"]
    command += ["--only-binary", ":all:", "--python", str(PYTHON), "--target", str(folder)]
    subprocess.run([*command, "-r", str(folder / "requirements.txt")], check=True)
    (folder / "requirements.txt").unlink()
    return folder


def test_task_of_the_image_serves_and_ends_with_status_0_after_the_signal_of_ecs(
    image: Path,
) -> None:
    """The interpreter has the packages of Lambda's image, which is the base of this one."""
    enable_socket()
    port = free_port()
    environment = {**ENVIRONMENT, "PATH": "/usr/bin:/bin", "PORT": str(port)}
    environment |= {"PYTHONPATH": str(image), "PYTHONDONTWRITEBYTECODE": "1"}
    (program,) = re.findall(r"^CMD (\[.+\])$", DOCKERFILE.read_text(), re.MULTILINE)
    command = [str(PYTHON), *json.loads(program)[1:]]
    with subprocess.Popen(command, env=environment, cwd=image) as task:
        try:
            wait_until(lambda: _status(port), "the health check", 60)
            assert _status(port) == 200
            task.send_signal(signal.SIGTERM)
            assert task.wait(60) == 0
        finally:
            task.kill()


def _status(port: int) -> int | None:
    connection = http.client.HTTPConnection(HOST, port, timeout=60)
    try:
        connection.request("GET", "/catalogue/health")
        answer = connection.getresponse()
        answer.read()
    except ConnectionError:
        return None
    else:
        return answer.status
    finally:
        connection.close()
