"""Resolve the domain names of origins with a DNS server, and keep the answers for their TTL."""

import asyncio
import ipaddress
import time
from contextlib import suppress
from typing import Final

from dnslib import DNSRecord
from dnslib.dns import DNSError

from aws_emulator.cloudfront.errors import OriginError
from aws_emulator.route53.messages import query

_TIMEOUT_S: Final = 2.0
_ATTEMPTS: Final = 3
_LOOPBACK: Final = ipaddress.ip_network("127.0.0.0/8")


class Resolver:
    """The resolver of an edge location, which names the location's network in its queries."""

    def __init__(self, server: tuple[str, int], network: ipaddress.IPv4Network) -> None:
        """Set the (host, port) of the DNS server, and the network of the edge location."""
        self._server = server
        self._network = network
        self._cached: dict[str, tuple[float, str]] = {}

    async def lookup(self, domain: str) -> str:
        """Return an IPv4 address of a domain name.

        Raises:
            OriginError: The name doesn't exist, or the server doesn't answer (502).
        """
        until, address = self._cached.get(domain, (0.0, ""))
        if time.monotonic() < until:
            return address
        try:
            reply = await asyncio.to_thread(self._ask, domain)
        except (OSError, DNSError) as error:
            raise OriginError(
                f"The DNS server doesn't answer for {domain}: {error}.", code="NonS3OriginDnsError"
            ) from error
        records = [it for it in reply.rr if ipaddress.ip_address(str(it.rdata)) in _LOOPBACK]
        if not records:
            raise OriginError(
                f"The domain name {domain} has no loopback address.", code="NonS3OriginDnsError"
            )
        address = str(records[0].rdata)
        self._cached[domain] = (time.monotonic() + records[0].ttl, address)
        return address

    def _ask(self, domain: str) -> DNSRecord:
        """Send a query over UDP, again if the answer is lost.

        Raises:
            OSError: No answer arrived.
            DNSError: The answer isn't a DNS message.
        """
        request = query(domain, "A", self._network)
        for _ in range(1, _ATTEMPTS):
            with suppress(OSError):
                return DNSRecord.parse(request.send(*self._server, timeout=_TIMEOUT_S))
        return DNSRecord.parse(request.send(*self._server, timeout=_TIMEOUT_S))
