"""The ports of a system: no server that starts later takes one of them."""

import random

import pytest

from aws_emulator import processes
from aws_emulator.errors import CommandError
from aws_emulator.processes import free_port
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


@pytest.mark.integration  # it opens sockets
def test_further_edge_location_never_gets_the_port_of_the_emulator() -> None:
    edge = free_port()
    ports = Ports(emulator=edge + 1, edge=edge).of_places(["us-east-1", "eu-west-2"])
    assert ports["us-east-1"] == edge
    assert ports["eu-west-2"] != edge + 1


def test_same_port_for_both_servers_is_refused() -> None:
    with pytest.raises(CommandError, match="PORT and EMULATOR_PORT are both 8080"):
        Ports(emulator=8080, edge=8080).resolve()
