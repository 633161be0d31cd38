"""The name servers of a domain, from a DNS server on a free port."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from dnslib import RCODE, RR, DNSRecord
from dnslib.server import DNSServer

from aws_emulator.errors import CommandError
from aws_emulator.processes import free_port
from tools.deployment.preflight.delegation import name_servers, resolvers

pytestmark = pytest.mark.integration


class Zone:
    """Answer for one delegated domain."""

    def resolve(self, request: DNSRecord, _handler: object) -> DNSRecord:
        reply = request.reply()
        name = str(request.q.qname)
        if name == "school.example.":
            reply.add_answer(*RR.fromZone("school.example. 60 NS NS-1.awsdns-01.com."))
        elif name == "refused.example.":
            reply.header.rcode = RCODE.SERVFAIL
        else:
            reply.header.rcode = RCODE.NXDOMAIN
        return reply


@pytest.fixture
def port() -> Iterator[int]:
    """The port of a running DNS server."""
    port = free_port()
    server = DNSServer(Zone(), address="127.0.0.1", port=port)
    server.start_thread()
    yield port
    server.stop()
    server.server.server_close()


def test_delegated_domain_has_name_servers(port: int) -> None:
    assert name_servers("school.example", ["127.0.0.1"], port) == {"ns-1.awsdns-01.com"}
    assert name_servers("other.example", ["127.0.0.1"], port) == set()


@pytest.mark.parametrize("servers", [[], ["127.0.0.1"]], ids=["no resolver", "failure"])
def test_unanswered_question_is_reported(port: int, servers: list[str]) -> None:
    with pytest.raises(CommandError, match=r"No DNS resolver told the name servers of refused"):
        name_servers("refused.example", servers, port)


def test_resolvers_are_those_of_the_computer(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    assert resolvers(file) == []
    file.write_text("# nameserver 192.0.2.9\nsearch lan\nnameserver 192.0.2.1\nnameserver ::1\n")
    assert resolvers(file) == ["192.0.2.1", "::1"]
