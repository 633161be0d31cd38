"""The DNS server answers a plain resolver from record sets that CloudFormation deployed."""

import ipaddress
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from dnslib import DNSRecord

from aws_emulator.processes import free_port
from aws_emulator.route53.__main__ import start_servers, stop_servers
from aws_emulator.route53.locations import network_of, service_address
from aws_emulator.route53.messages import query
from aws_emulator.route53.service import Service, Timing
from aws_emulator.route53.zone_reader import read
from aws_emulator.tests.ministack.contracts_names import health_check
from aws_emulator.tests.ministack.running import Emulator, unique
from aws_emulator.tests.ministack.templates import stack
from aws_emulator.tests.waiting import wait_until

pytestmark = pytest.mark.integration

REGIONS = ("eu-west-2", "ap-south-1")


@contextmanager
def dns_server(emulator: Emulator, folder: Path) -> Iterator[int]:
    """Run a DNS server in this process, and yield its port."""
    client = emulator.client("route53")
    status = folder / "status.json"
    service = Service(lambda: read(client), status, REGIONS[0], timing=Timing(100))
    service.load()
    port, stopped = free_port(), threading.Event()
    servers = start_servers(service, port)
    thread = threading.Thread(target=service.run, args=(stopped,))
    thread.start()
    try:
        yield port
    finally:
        stopped.set()
        thread.join()
        stop_servers(servers)


def ask(port: int, name: str, location: str, *, tcp: bool = False) -> str:
    """Return the address in an answer to a client."""
    request = query(name, "A", ipaddress.IPv4Network(network_of(location)))
    reply = DNSRecord.parse(request.send("127.0.0.1", port, tcp=tcp, timeout=30))
    return ",".join(str(it.rdata) for it in reply.rr)


@pytest.mark.parametrize("tcp", [False, True])
def test_resolver_gets_the_deployed_records(emulator: Emulator, tmp_path: Path, tcp: bool) -> None:
    domain = f"{unique('zone')}.example"
    client = emulator.client("route53")
    zone = client.create_hosted_zone(Name=domain, CallerReference=domain)["HostedZone"]["Id"]
    resources = {}
    for number, region in enumerate(REGIONS):
        # Nothing listens on the check's port, so that a check that isn't inverted fails.
        resources[f"Check{number}"] = health_check(
            Type="HTTP",
            IPAddress="127.0.0.1",
            Port=free_port(),
            FullyQualifiedDomainName=f"{region}.{domain}",
            Inverted=True,
        )
        target = f"d-abc.execute-api.{region}.amazonaws.com"
        resources[f"Nearest{number}"] = {
            "Type": "AWS::Route53::RecordSet",
            "Properties": {
                "HostedZoneId": zone,
                "Name": f"api.{domain}",
                "Type": "A",
                "SetIdentifier": region,
                "Region": region,
                "HealthCheckId": {"Ref": f"Check{number}"},
                "AliasTarget": {
                    "HostedZoneId": "Z1",
                    "DNSName": target,
                    "EvaluateTargetHealth": False,
                },
            },
        }
    name = unique("names")
    emulator.deploy(stack(**resources), name)
    with dns_server(emulator, tmp_path) as port:
        asked = f"api.{domain}"
        answers = [ask(port, asked, region, tcp=tcp) for region in REGIONS]
        assert answers == [service_address(region) for region in REGIONS]
        # Another deployment makes London's check unhealthy.
        resources["Check0"]["Properties"]["HealthCheckConfig"]["Inverted"] = False
        emulator.deploy(stack(**resources), name)
        wait_until(
            lambda: ask(port, asked, REGIONS[0], tcp=tcp) == service_address(REGIONS[1]),
            "the loss of London",
        )
