"""Build viewer-request events in CloudFront's format."""

from tests.unit.edge_auth.issuer import HOST

type Headers = dict[str, list[dict[str, str]]]

#: Headers that Chromium sends with a navigation.
NAVIGATION_HEADERS = {
    "Accept": "text/html,application/xhtml+xml,*/*;q=0.8",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Site": "none",
}


def viewer_request(
    uri: str = "/premium/lesson.html",
    *,
    query: str = "",
    method: str = "GET",
    headers: dict[str, str] | None = None,
    cookies: dict[str, str] | None = None,
    host: str = HOST,
) -> dict[str, object]:
    """Return an event (CloudFront, "Lambda@Edge event structure")."""
    fields = {"Host": host, "User-Agent": "test", **(headers or {})}
    if cookies:
        fields["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
    structured: Headers = {
        name.lower(): [{"key": name, "value": value}] for name, value in fields.items()
    }
    return {
        "Records": [
            {
                "cf": {
                    "config": {
                        "distributionDomainName": HOST,
                        "distributionId": "EDFDVBD6EXAMPLE",
                        "eventType": "viewer-request",
                        "requestId": "4TyzHTaYWb1GX1qTfsHhEqV6HUDd_BzoBZnwfnvQc_1oF26ClkoUSEQ==",
                    },
                    "request": {
                        "clientIp": "203.0.113.178",
                        "headers": structured,
                        "method": method,
                        "querystring": query,
                        "uri": uri,
                    },
                }
            }
        ]
    }
