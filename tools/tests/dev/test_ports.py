"""The ports of a system: no server that starts later takes one of them."""

import random

import pytest

from aws_emulator import processes
from tools.dev.system import Ports


@pytest.mark.integration  # it opens sockets
def test_ports_of_edge_locations_are_reserved(monkeypatch: pytest.MonkeyPatch) -> None:
    ports = Ports().resolve()
    edge_ports = ports.of_places(["eu-west-2", "ap-south-1", "us-east-1"])
    assert len(set(edge_ports.values())) == len(edge_ports)
    monkeypatch.setattr(processes, "FREE_PORTS", range(ports.edge, ports.edge + 50))
    monkeypatch.setattr(random.SystemRandom, "randrange", lambda *_: 0)
    later = {processes.free_port() for _ in range(10)}
    assert later.isdisjoint({*edge_ports.values(), ports.emulator})
