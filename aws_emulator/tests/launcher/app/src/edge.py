"""The weather station's Lambda@Edge function."""

from typing import Any


def add_header(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Add a header to each viewer response."""
    response: dict[str, Any] = event["Records"][0]["cf"]["response"]
    response["headers"]["x-station"] = [{"key": "X-Station", "value": "north"}]
    return response
