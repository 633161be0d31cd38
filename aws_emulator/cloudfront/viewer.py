"""The viewer's address and location, and the headers that CloudFront derives from them.

A test or a replay tool can simulate a viewer with `X-Local-Viewer-*` request headers.
"""

import ipaddress
from typing import Final
from urllib.parse import quote

from aws_emulator.cloudfront.errors import RequestRejectedError
from aws_emulator.cloudfront.headers import HeaderMap, first
from aws_emulator.cloudfront.model import Request, Viewer

_ASCII: Final = "".join(map(chr, range(32, 127)))
#: Headers with this prefix set the simulated viewer's address, country, region, city and time zone.
#: CloudFront has no such headers: the emulator removes them from the request.
VIEWER_HEADER_PREFIX: Final = "x-local-viewer-"

# Add CloudFront request headers: "You can add CloudFront-Viewer-Address, CloudFront-Viewer-ASN,
# CloudFront-Viewer-JA3-Fingerprint and CloudFront-Viewer-TLS in an origin request policy, but not
# in a cache policy".
ORIGIN_POLICY_ONLY: Final = frozenset(
    {
        "cloudfront-viewer-address",
        "cloudfront-viewer-asn",
        "cloudfront-viewer-ja3-fingerprint",
        "cloudfront-viewer-tls",
    }
)


def read_viewer(headers: HeaderMap, peer: tuple[str, int] | None) -> Viewer:
    """Remove the simulated viewer from the headers and return it; by default, return the TCP peer.

    Raises:
        RequestRejectedError: The simulated address isn't an IP address (400).
    """
    local = {
        name.removeprefix(VIEWER_HEADER_PREFIX): pairs[0][1]
        for name, pairs in headers.items()
        if name.startswith(VIEWER_HEADER_PREFIX)
    }
    for name in local:
        del headers[VIEWER_HEADER_PREFIX + name]
    host, port = peer or ("127.0.0.1", 0)
    address = local.get("address", host)
    try:
        ipaddress.ip_address(address)
    except ValueError:
        raise RequestRejectedError("X-Local-Viewer-Address is not an IP address.") from None
    return Viewer(
        address=address,
        port=port,
        country=local.get("country"),
        region=local.get("region"),
        city=local.get("city"),
        time_zone=local.get("time-zone"),
    )


def cloudfront_headers(request: Request, viewer: Viewer) -> dict[str, tuple[str, str]]:
    """Return the headers that CloudFront can add, as lower-case name to (name, value).

    The map omits headers that need an address database (ASN, coordinates, postal code), as
    CloudFront does for an unknown address. Source: "Add CloudFront request headers".
    """
    address = f"[{viewer.address}]" if ":" in viewer.address else viewer.address
    order = [name for pairs in request.headers.values() for name, _ in pairs]
    agent = first(request.headers, "user-agent").lower()
    viewer_headers: dict[str, str | None] = {
        "CloudFront-Viewer-Address": f"{address}:{viewer.port}",
        "CloudFront-Viewer-Country": viewer.country,
        "CloudFront-Viewer-Country-Region": viewer.region,
        "CloudFront-Viewer-City": viewer.city,
        "CloudFront-Viewer-Time-Zone": viewer.time_zone,
        "CloudFront-Viewer-Http-Version": request.http_version,
        "CloudFront-Viewer-Header-Count": str(len(order)),
        # "Headers beyond the character limit of 7,680 are truncated."
        "CloudFront-Viewer-Header-Order": ":".join(order)[:7_680],
        # The emulator has no certificate: HTTP on the loopback represents HTTPS.
        "CloudFront-Forwarded-Proto": "https",
        **{name: "true" if matches else "false" for name, matches in _devices(agent).items()},
    }
    # "For non-ASCII characters in these headers' values, CloudFront percent-encodes the character."
    return {
        name.lower(): (name, quote(value, safe=_ASCII))
        for name, value in viewer_headers.items()
        if value is not None
    }


def _devices(agent: str) -> dict[str, bool]:
    """Guess the device type from a lower-case user agent; more than one can be true."""
    tv = any(marker in agent for marker in ("smart-tv", "smarttv", "googletv", "appletv", "hbbtv"))
    ios = any(marker in agent for marker in ("iphone", "ipad", "ipod"))
    android = "android" in agent
    tablet = "ipad" in agent or "tablet" in agent or (android and "mobile" not in agent and not tv)
    mobile = tablet or "mobile" in agent or "iphone" in agent or "ipod" in agent
    return {
        "CloudFront-Is-Android-Viewer": android,
        "CloudFront-Is-IOS-Viewer": ios,
        "CloudFront-Is-Mobile-Viewer": mobile and not tv,
        "CloudFront-Is-SmartTV-Viewer": tv,
        "CloudFront-Is-Tablet-Viewer": tablet,
        "CloudFront-Is-Desktop-Viewer": not (mobile or tv),
    }
