"""Who the viewer is, and what CloudFront says of it in its own headers."""

import ipaddress
from urllib.parse import quote

from aws_emulator.cloudfront.errors import RequestRefusedError
from aws_emulator.cloudfront.headers import HeaderMap, first
from aws_emulator.cloudfront.model import Request, Viewer

_ASCII = "".join(map(chr, range(32, 127)))
#: A simulated visitor's place. The edge listens on loopback alone, consumes these headers and
#: never forwards them.
LOCAL_PREFIX = "x-local-viewer-"

# Add CloudFront request headers: "You can add CloudFront-Viewer-Address, CloudFront-Viewer-ASN,
# CloudFront-Viewer-JA3-Fingerprint and CloudFront-Viewer-TLS in an origin request policy, but not
# in a cache policy".
ORIGIN_POLICY_ONLY = frozenset(
    {
        "cloudfront-viewer-address",
        "cloudfront-viewer-asn",
        "cloudfront-viewer-ja3-fingerprint",
        "cloudfront-viewer-tls",
    }
)


def take_viewer(headers: HeaderMap, peer: tuple[str, int] | None) -> Viewer:
    """Take the simulated visitor out of the headers; the TCP peer is the visitor otherwise.

    Raises RequestRefusedError (400) for an address that is none.
    """
    local = {
        name.removeprefix(LOCAL_PREFIX): pairs[0][1]
        for name, pairs in headers.items()
        if name.startswith(LOCAL_PREFIX)
    }
    for name in local:
        del headers[LOCAL_PREFIX + name]
    host, port = peer or ("127.0.0.1", 0)
    address = local.get("address", host)
    try:
        ipaddress.ip_address(address)
    except ValueError:
        raise RequestRefusedError("X-Local-Viewer-Address is not an IP address.") from None
    return Viewer(
        address=address,
        port=port,
        country=local.get("country"),
        region=local.get("region"),
        city=local.get("city"),
        time_zone=local.get("time-zone"),
    )


def cloudfront_headers(request: Request, viewer: Viewer) -> dict[str, tuple[str, str]]:
    """Write the headers that CloudFront can add, as lower-case name to (name, value).

    What it would look up from an address and we cannot (ASN, coordinates, postal code) is absent,
    as it is at CloudFront where the address is unknown. Source: Add CloudFront request headers.
    """
    address = f"[{viewer.address}]" if ":" in viewer.address else viewer.address
    order = [name for pairs in request.headers.values() for name, _ in pairs]
    agent = first(request.headers, "user-agent").lower()
    known: dict[str, str | None] = {
        "CloudFront-Viewer-Address": f"{address}:{viewer.port}",
        "CloudFront-Viewer-Country": viewer.country,
        "CloudFront-Viewer-Country-Region": viewer.region,
        "CloudFront-Viewer-City": viewer.city,
        "CloudFront-Viewer-Time-Zone": viewer.time_zone,
        "CloudFront-Viewer-Http-Version": request.http_version,
        "CloudFront-Viewer-Header-Count": str(len(order)),
        # "Headers beyond the character limit of 7,680 are truncated."
        "CloudFront-Viewer-Header-Order": ":".join(order)[:7_680],
        # http on the loopback stands for https: the local edge has no certificate.
        "CloudFront-Forwarded-Proto": "https",
        **{name: "true" if seen else "false" for name, seen in _devices(agent).items()},
    }
    # "For non-ASCII characters in these headers' values, CloudFront percent-encodes the character."
    return {
        name.lower(): (name, quote(value, safe=_ASCII))
        for name, value in known.items()
        if value is not None
    }


def _devices(agent: str) -> dict[str, bool]:
    """Guess the device from a lower-case user agent; more than one can be true."""
    tv = any(mark in agent for mark in ("smart-tv", "smarttv", "googletv", "appletv", "hbbtv"))
    ios = any(mark in agent for mark in ("iphone", "ipad", "ipod"))
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
