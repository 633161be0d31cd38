"""DNS messages: the client that a query names, and the response to it."""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from dnslib import (
    EDNS0,
    QTYPE,
    RCODE,
    RR,
    SOA,
    DNSRecord,
    EDNSOption,
)

from aws_emulator.route53.locations import Address
from aws_emulator.route53.model import HostedZone
from aws_emulator.route53.routing import Answer

#: RFC 7871, section 6: EDNS client subnet.
_CLIENT_SUBNET: Final = 8
_IPV4: Final = 1
#: RFC 9715: the size of a response over UDP that networks don't fragment.
_UDP_BYTES: Final = 1232
_HEADER_BYTES: Final = 4
#: "The default TTL of the SOA record is 900 seconds" (SOA and NS records that Route 53 creates).
_SOA_TTL_S: Final = 900

#: Answers the question of a name and a type for a client's address.
type Resolve = Callable[[str, str, Address], Answer]


@dataclass(frozen=True, slots=True)
class _Subnet:
    """A client subnet option: the raw address, and the length of its prefix."""

    family: int
    prefix: int
    address: bytes

    def client(self) -> Address | None:
        """Return the first address of the subnet, or None for an invalid one."""
        size = 4 if self.family == _IPV4 else 16
        if self.family not in (_IPV4, 2) or len(self.address) > size or self.prefix > 8 * size:
            return None
        packed = self.address.ljust(size, b"\0")
        return ipaddress.ip_address(packed)

    def echoed(self, scope: int) -> bytes:
        """Return the option of the response, with the prefix for which the answer holds."""
        return self.family.to_bytes(2) + bytes([self.prefix, scope]) + self.address


def respond(request: DNSRecord, source: str, resolve: Resolve) -> DNSRecord:
    """Return the response to a query that arrived from an address."""
    subnet = _subnet(request)
    client = (subnet.client() if subnet else None) or ipaddress.ip_address(source)
    reply = request.reply()
    kind = str(QTYPE.get(request.q.qtype, ""))
    answer = resolve(str(request.q.qname).lower(), kind, client)
    reply.header.ra = 0
    if answer.zone is None:
        reply.header.aa = 0
        reply.header.rcode = RCODE.REFUSED
    for record in answer.records:
        reply.add_answer(*RR.fromZone(f"{record.name} {record.ttl_s} {record.type} {record.value}"))
    if answer.zone is not None and not answer.records:
        reply.header.rcode = RCODE.NOERROR if answer.exists else RCODE.NXDOMAIN
        for soa in _authority(answer.zone):
            reply.add_auth(soa)
    if any(it.rtype == QTYPE.OPT for it in request.ar):
        scope = subnet.prefix if subnet and answer.depends_on_client else 0
        options = [EDNSOption(_CLIENT_SUBNET, subnet.echoed(scope))] if subnet else []
        reply.add_ar(EDNS0(udp_len=_UDP_BYTES, opts=options))
    return reply


def subnet_option(network: ipaddress.IPv4Network) -> EDNSOption:
    """Return the option with which a resolver names its client's network."""
    size = (network.prefixlen + 7) // 8
    address = network.network_address.packed[:size]
    return EDNSOption(_CLIENT_SUBNET, _Subnet(_IPV4, network.prefixlen, address).echoed(0))


def query(name: str, kind: str, network: ipaddress.IPv4Network | None = None) -> DNSRecord:
    """Return a query of a resolver, for a client of a network."""
    request = DNSRecord.question(name, kind)
    options = [subnet_option(network)] if network else []
    request.add_ar(EDNS0(udp_len=_UDP_BYTES, opts=options))
    return request


def _subnet(request: DNSRecord) -> _Subnet | None:
    for record in request.ar:
        if record.rtype != QTYPE.OPT:
            continue
        for option in record.rdata:
            if option.code == _CLIENT_SUBNET and len(option.data) >= _HEADER_BYTES:
                data = bytes(option.data)
                return _Subnet(int.from_bytes(data[:2]), data[2], data[_HEADER_BYTES:])
    return None


def _authority(zone: HostedZone) -> list[RR]:
    """Return the zone's SOA record, which says how long a negative answer holds (RFC 2308)."""
    soas = zone.records.get((zone.name, "SOA"), ())
    if soas and soas[0].values:
        return list(RR.fromZone(f"{zone.name} {soas[0].ttl_s} SOA {soas[0].values[0]}"))
    times = (1, 7200, 900, 1209600, 86400)
    rdata = SOA(f"ns.{zone.name}", f"hostmaster.{zone.name}", times)
    return [RR(zone.name, QTYPE.SOA, ttl=_SOA_TTL_S, rdata=rdata)]
