"""The recipe site's Lambda@Edge functions."""

from typing import Any


def origin_request(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Return the page of a folder."""
    request: dict[str, Any] = event["Records"][0]["cf"]["request"]
    if request["uri"].endswith("/"):
        request["uri"] += "index.html"
    return request


def viewer_response(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Add a header to each viewer response."""
    response: dict[str, Any] = event["Records"][0]["cf"]["response"]
    response["headers"]["x-edge"] = [{"key": "X-Edge", "value": "yes"}]
    return response
