"""Tests of the service: requests of checks, the status page, and a failing control plane."""

import ipaddress
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from aws_emulator.route53.checker import passes
from aws_emulator.route53.model import Deployed, HealthCheck, HostedZone, ZoneError
from aws_emulator.route53.routing import Record
from aws_emulator.route53.service import Service, Timing
from aws_emulator.tests.route53.strategies import NAME, latency_records
from aws_emulator.tests.waiting import wait_until

LONDON = HealthCheck("eu-west-2", "HTTPS", host="eu-west-2.example.com", port=443, interval_s=10)
CLIENT = ipaddress.ip_address("127.0.0.1")


class Endpoint:
    """A server whose status and body a test sets."""

    def __init__(self) -> None:
        self.status, self.body = 200, b'{"status": "serving"}'
        self.asked: list[tuple[str, str]] = []
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                endpoint.asked.append((str(self.headers["Host"]), self.path))
                self.send_response(endpoint.status)
                self.end_headers()
                self.wfile.write(endpoint.body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = int(self.server.server_address[1])
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    running = Endpoint()
    yield running
    running.server.shutdown()
    running.server.server_close()


def at_loopback(host: str) -> str:
    return "127.0.0.1"


@pytest.mark.integration
@pytest.mark.parametrize(
    ("status", "search", "expected"),
    [
        (200, None, True),
        (301, None, True),
        (404, None, False),
        (503, None, False),
        (200, "serving", True),
        (200, "evacuated", False),
        (503, "serving", False),
    ],
)
def test_check_passes_by_status_and_text(
    endpoint: Endpoint, status: int, search: str | None, expected: bool
) -> None:
    endpoint.status = status
    check = replace(LONDON, path="/health", search=search)
    assert passes(check, at_loopback, endpoint.port) is expected
    assert endpoint.asked == [("eu-west-2.example.com", "/health")]


@pytest.mark.integration
def test_check_fails_without_address_port_or_server(endpoint: Endpoint) -> None:
    assert not passes(LONDON, lambda _: None, endpoint.port)
    assert not passes(LONDON, at_loopback, None)
    endpoint.server.shutdown()
    endpoint.server.server_close()
    assert not passes(LONDON, at_loopback, endpoint.port)


def test_speed_shortens_intervals_and_ttls() -> None:
    timing = Timing(20)
    assert timing.interval_s(LONDON) == 0.5
    assert [timing.ttl_s(Record(NAME, "A", it, "")) for it in (60, 1, 0)] == [3, 1, 0]


def two_regions(port: int) -> Deployed:
    """Return latency records of London and Mumbai; London's check asks a port of the loopback."""
    records = latency_records(["eu-west-2", "ap-south-1"])
    zone = HostedZone("example.com.", {(NAME, "A"): records})
    london = replace(LONDON, type="HTTP", address="127.0.0.1", port=port)
    return Deployed((zone,), {"eu-west-2": london})


@pytest.mark.integration
def test_lost_region_leaves_the_answers_and_returns(endpoint: Endpoint, tmp_path: Path) -> None:
    status = tmp_path / "status.json"
    deployed = two_regions(endpoint.port)
    service = Service(lambda: deployed, status, "eu-west-2", timing=Timing(200))
    service.load()
    stopped = threading.Event()
    thread = threading.Thread(target=service.run, args=(stopped,))
    thread.start()

    def answers(value: str) -> Callable[[], bool]:
        return lambda: service.answer(NAME, "A", CLIENT).records[0].value == value

    try:
        wait_until(lambda: bool(endpoint.asked), "the first request of the check")
        assert answers("192.0.2.0")()
        endpoint.status = 503
        wait_until(answers("192.0.2.1"), "the loss of London")
        (line,) = json.loads(status.read_text())["checks"]
        assert (line["id"], line["healthy"]) == ("eu-west-2", False)
        endpoint.status = 200
        wait_until(answers("192.0.2.0"), "the return of London")
    finally:
        stopped.set()
        thread.join(timeout=30)
    assert not thread.is_alive()


@pytest.mark.integration
def test_last_zones_answer_while_the_control_plane_is_down(tmp_path: Path) -> None:
    states: list[Deployed | ZoneError] = [two_regions(1), ZoneError("503")]

    def read() -> Deployed:
        state = states.pop(0) if len(states) > 1 else states[0]
        if isinstance(state, ZoneError):
            raise state
        return state

    service = Service(read, tmp_path / "status.json", "eu-west-2", timing=Timing(0.1))
    service.load()
    with pytest.raises(ZoneError):
        service.load()
    assert service.answer(NAME, "A", CLIENT).records
