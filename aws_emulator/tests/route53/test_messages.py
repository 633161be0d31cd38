"""Tests of DNS messages: EDNS client subnet, negative answers, names of other zones."""

import ipaddress

import pytest
from dnslib import QTYPE, RCODE, DNSRecord
from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.route53.locations import Address, location_of, network_of
from aws_emulator.route53.messages import query, respond
from aws_emulator.route53.model import Deployed, HostedZone, RecordSet
from aws_emulator.route53.routing import Answer, Client, resolve
from aws_emulator.tests.route53.strategies import (
    NAME,
    client_locations,
    latency_records,
    region_sets,
)

SOA = "ns-1.awsdns-01.org. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400"


def zone(*records: RecordSet) -> Deployed:
    soa = RecordSet("example.com.", "SOA", 900, (SOA,))
    every: dict[tuple[str, str], tuple[RecordSet, ...]] = {("example.com.", "SOA"): (soa,)}
    if records:
        every[NAME, records[0].type] = records
    return Deployed((HostedZone("example.com.", every),))


def send(deployed: Deployed, request: DNSRecord, source: str = "127.0.0.1") -> DNSRecord:
    def answer(name: str, kind: str, client: Address) -> Answer:
        location = location_of(client, "us-east-1")
        return resolve(deployed, {}, name, kind, Client(location, lambda: 0.0))

    # Through the wire format, as a resolver sees it.
    received = DNSRecord.parse(request.pack())
    return DNSRecord.parse(respond(received, source, answer).pack())


def value(reply: DNSRecord) -> str:
    return str(reply.rr[0].rdata)


@given(region_sets, client_locations)
def test_subnet_of_the_query_is_the_location_of_the_client(
    regions: list[str], location: str
) -> None:
    deployed = zone(*latency_records(regions))
    expected = resolve(deployed, {}, NAME, "A", Client(location, lambda: 0.0)).records[0].value
    reply = send(deployed, query(NAME, "A", network_of(location)))
    assert value(reply) == expected
    # The answer holds for the subnet of the query (RFC 7871, section 7.2.1).
    (option,) = reply.ar[0].rdata
    assert option.data == bytes([0, 1, 16, 16]) + network_of(location).network_address.packed[:2]


@given(region_sets, client_locations)
def test_source_address_is_the_location_without_a_subnet(regions: list[str], location: str) -> None:
    deployed = zone(*latency_records(regions))
    source = str(network_of(location).network_address + 7)
    with_subnet = send(deployed, query(NAME, "A", network_of(location)))
    assert value(send(deployed, query(NAME, "A"), source)) == value(with_subnet)


@pytest.mark.parametrize("network", ["203.0.113.0/24", "10.255.0.0/16", "0.0.0.0/0"])
def test_unknown_subnet_has_the_default_location(network: str) -> None:
    deployed = zone(*latency_records(["us-east-1", "ap-south-1"]))
    reply = send(deployed, query(NAME, "A", ipaddress.IPv4Network(network)))
    assert value(reply) == "192.0.2.0"


@given(st.binary(max_size=24))
def test_any_client_subnet_option_is_answered(data: bytes) -> None:
    request = query(NAME, "A", network_of("eu-west-2"))
    request.ar[0].rdata[0].data = data
    assert send(zone(*latency_records(["us-east-1"])), request).header.rcode == RCODE.NOERROR


def test_answer_for_everyone_has_scope_zero() -> None:
    reply = send(
        zone(RecordSet(NAME, "A", 60, ("192.0.2.1",))), query(NAME, "A", network_of("delhi"))
    )
    assert reply.ar[0].rdata[0].data[3] == 0


@pytest.mark.parametrize(
    ("name", "kind", "code"),
    [
        (NAME, "AAAA", RCODE.NOERROR),
        ("nothing.example.com.", "A", RCODE.NXDOMAIN),
    ],
)
def test_negative_answer_has_the_soa_record_of_the_zone(name: str, kind: str, code: int) -> None:
    reply = send(zone(*latency_records(["us-east-1"])), query(name, kind))
    assert (reply.header.rcode, reply.rr) == (code, [])
    assert [it.rtype for it in reply.auth] == [QTYPE.SOA]


def test_name_of_no_zone_is_refused() -> None:
    reply = send(zone(), query("example.org", "A"))
    assert (reply.header.rcode, reply.header.aa) == (RCODE.REFUSED, 0)


def test_upper_case_name_is_answered() -> None:
    assert value(send(zone(*latency_records(["us-east-1"])), query("API.Example.COM", "A")))


def test_query_without_edns_gets_no_edns() -> None:
    request = DNSRecord.question(NAME, "A")
    reply = send(zone(*latency_records(["us-east-1"])), request)
    assert (len(reply.rr), reply.ar) == (1, [])
