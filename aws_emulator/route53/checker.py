"""Send the requests of a health check."""

import http.client
from collections.abc import Callable
from typing import Final

from aws_emulator.route53.model import HealthCheck

#: Health checks with HTTP and HTTPS: the time for the connection, then for the status code.
CONNECT_TIMEOUT_S: Final = 4.0
RESPONSE_TIMEOUT_S: Final = 2.0
#: The text of a check on the body must be in the first 5,120 bytes (API reference, SearchString).
MAX_SEARCHED_BYTES: Final = 5120

#: Return the IPv4 address of a host name for a checker, or None if it has none.
type Lookup = Callable[[str], str | None]


def passes(check: HealthCheck, lookup: Lookup, https_port: int | None) -> bool:
    """Return whether the endpoint of a check passes it now.

    Args:
        check: A check that isn't calculated.
        lookup: Resolves the check's host name.
        https_port: The loopback port that stands for 443, where HTTP represents HTTPS; None if no
            server has custom domain names.
    """
    address = check.address or lookup(check.host)
    port = https_port if check.port == 443 else check.port
    if address is None or port is None:
        return False
    connection = http.client.HTTPConnection(address, port, timeout=CONNECT_TIMEOUT_S)
    try:
        connection.connect()
        if check.type == "TCP":
            return True
        connection.sock.settimeout(RESPONSE_TIMEOUT_S)
        headers = {
            "Host": check.host or address,
            "User-Agent": "Amazon-Route53-Health-Check-Service",
        }
        connection.request("GET", check.path, headers=headers)
        response = connection.getresponse()
        if not 200 <= response.status < 400:
            return False
        text = response.read(MAX_SEARCHED_BYTES)
        return check.search is None or check.search.encode() in text
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
