"""CloudFront's origin-request event as typed values: the request, and facts about the viewer.

`collector` parses each event here once; the other modules read `Request` and `Viewer`.
"""

from typing import Any, Final, Literal

import msgspec

type Device = Literal["desktop", "mobile", "tablet", "tv"]

# CloudFront, "Add CloudFront request headers": several of them can be `true`; a tablet also has
# `CloudFront-Is-Mobile-Viewer: true`. The first match wins.
_DEVICES: Final[tuple[tuple[str, Device], ...]] = (
    ("cloudfront-is-smarttv-viewer", "tv"),
    ("cloudfront-is-tablet-viewer", "tablet"),
    ("cloudfront-is-mobile-viewer", "mobile"),
    ("cloudfront-is-desktop-viewer", "desktop"),
)
_MAX_USER_AGENT_CHARS: Final = 1024


class Request(msgspec.Struct, frozen=True):
    """The fields of an origin-request event that the collector reads."""

    method: str
    path: str
    query: str
    headers: dict[str, Any]
    body: dict[str, Any]
    client_ip: str
    request_id: str
    domain: str

    def header(self, name: str) -> str | None:
        """Return the first value of a header, or None; `name` is in lower case."""
        values = self.headers.get(name)
        if isinstance(values, list) and values and isinstance(values[0], dict):
            value = values[0].get("value")
            if isinstance(value, str):
                return value
        return None


class Viewer(msgspec.Struct, frozen=True):
    """Facts about the viewer from headers that CloudFront sets, so a client can't forge them.

    A field is None if the origin request policy doesn't forward its header.
    """

    user_agent: str | None = None
    country: str | None = None
    region: str | None = None
    city: str | None = None
    time_zone: str | None = None
    device: Device | None = None


def parse_request(event: dict[str, Any]) -> Request:
    """Parse an origin-request event.

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


def parse_query(text: str) -> dict[str, str]:
    """Parse a query string. The first value of a repeated name wins."""
    if not text:
        return {}
    from urllib.parse import parse_qsl  # slow to import, and few requests have a query string

    parameters: dict[str, str] = {}
    # CloudFront limits a URL to 8,192 bytes, which bounds the number of fields too.
    for name, value in parse_qsl(text, keep_blank_values=True, errors="replace"):
        parameters.setdefault(name, value)
    return parameters


def viewer_of(request: Request) -> Viewer:
    """Return the viewer facts from the request's `CloudFront-*` and `User-Agent` headers."""
    header, headers = request.header, request.headers
    agent = header("user-agent")
    # CloudFront sends this value if the cache behavior doesn't forward the viewer's User-Agent.
    if agent == "Amazon CloudFront":
        agent = None
    return Viewer(
        user_agent=agent[:_MAX_USER_AGENT_CHARS] if agent else None,
        country=header("cloudfront-viewer-country"),
        region=header("cloudfront-viewer-country-region"),
        city=header("cloudfront-viewer-city"),
        time_zone=header("cloudfront-viewer-time-zone"),
        device=next(
            (kind for name, kind in _DEVICES if name in headers and header(name) == "true"), None
        ),
    )
