"""Ask this computer's DNS resolver which name servers a domain is delegated to."""

import re
from pathlib import Path
from typing import Final

from dnslib import QTYPE, RCODE, DNSRecord
from dnslib.dns import DNSError

from aws_emulator.errors import CommandError

#: The resolvers of this computer (resolv.conf(5)).
RESOLVERS: Final = Path("/etc/resolv.conf")
_PORT: Final = 53
_TIMEOUT_S: Final = 5.0


def resolvers(file: Path = RESOLVERS) -> list[str]:
    """Return the addresses of the resolvers; none without the file."""
    text = file.read_text() if file.exists() else ""
    return re.findall(r"^\s*nameserver\s+(\S+)", text, re.MULTILINE)


def name_servers(domain: str, servers: list[str], port: int = _PORT) -> set[str]:
    """Return the name servers that answer for a domain; an empty set if it isn't delegated.

    Args:
        domain: The name of the hosted zone.
        servers: The addresses of resolvers; the first one that answers decides.
        port: The port of the resolvers.

    Raises:
        CommandError: No resolver answered.
    """
    problem = "no resolver in /etc/resolv.conf"
    for server in servers:
        try:
            question = DNSRecord.question(domain, "NS")
            is_ipv6 = ":" in server
            packet = question.send(server, port, timeout=_TIMEOUT_S, ipv6=is_ipv6)
            reply = DNSRecord.parse(packet)
        except (OSError, DNSError) as error:
            problem = f"{server}: {error or type(error).__name__}"
            continue
        if reply.header.rcode not in (RCODE.NOERROR, RCODE.NXDOMAIN):
            problem = f"{server}: {RCODE.get(reply.header.rcode)}"
            continue
        values = (str(it.rdata) for it in reply.rr if it.rtype == QTYPE.NS)
        return {it.rstrip(".").lower() for it in values}
    raise CommandError(
        f"No DNS resolver told the name servers of {domain}: {problem}. Check the delegation with "
        f"`dig NS {domain}`."
    )
