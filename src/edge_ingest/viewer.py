"""A request at the edge, and what CloudFront knows about who sent it."""

from typing import Any, Literal, NamedTuple

type Device = Literal["desktop", "mobile", "tablet", "tv"]

# CloudFront, "Add CloudFront request headers": exactly the ones that say `true` apply, and a
# tablet is told to be a mobile viewer too.
_DEVICES: tuple[tuple[str, Device], ...] = (
    ("cloudfront-is-smarttv-viewer", "tv"),
    ("cloudfront-is-tablet-viewer", "tablet"),
    ("cloudfront-is-mobile-viewer", "mobile"),
    ("cloudfront-is-desktop-viewer", "desktop"),
)


class Request(NamedTuple):
    """CloudFront's origin-request event, as far as the collector reads it."""

    method: str
    path: str
    query: str
    headers: dict[str, Any]
    body: dict[str, Any]
    client_ip: str
    request_id: str
    domain: str

    def header(self, name: str) -> str | None:
        """Return the first value of a header, by its lower-case name."""
        values = self.headers.get(name)
        if isinstance(values, list) and values and isinstance(values[0], dict):
            value = values[0].get("value")
            if isinstance(value, str):
                return value
        return None


class Viewer(NamedTuple):
    """Who sent the request, by CloudFront's word: nothing here is the client's to set."""

    user_agent: str | None
    country: str | None
    region: str | None
    city: str | None
    time_zone: str | None
    device: Device | None


def read(event: dict[str, Any]) -> Request:
    """Read the event that CloudFront hands to an origin-request function.

    Lambda@Edge event structure: `Records[0].cf.{config,request}`, header names in lower case.
    """
    cf = event["Records"][0]["cf"]
    request = cf["request"]
    config = cf["config"]
    return Request(
        method=request["method"],
        path=request["uri"],
        query=request.get("querystring") or "",
        headers=request.get("headers") or {},
        body=request.get("body") or {},
        client_ip=request.get("clientIp") or "",
        request_id=config.get("requestId") or "",
        domain=config.get("distributionDomainName") or "",
    )


def describe(request: Request) -> Viewer:
    """Return what CloudFront's own headers say of the viewer; None where it was not forwarded."""
    header = request.header
    agent = header("user-agent")
    # CloudFront puts its own name where the viewer's agent is not forwarded.
    if agent == "Amazon CloudFront":
        agent = None
    return Viewer(
        user_agent=agent[:1024] if agent else None,
        country=header("cloudfront-viewer-country"),
        region=header("cloudfront-viewer-country-region"),
        city=header("cloudfront-viewer-city"),
        time_zone=header("cloudfront-viewer-time-zone"),
        device=next((kind for name, kind in _DEVICES if header(name) == "true"), None),
    )
