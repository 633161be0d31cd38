"""CloudFront's rules for a viewer-request function's result, from its documentation."""

from typing import Any

from tests.unit.edge_auth.fake_browser import Result

# CloudFront, "Restrictions on all edge functions": disallowed headers and prefixes.
DISALLOWED = {
    "connection", "expect", "keep-alive", "proxy-authenticate", "proxy-authorization",
    "proxy-connection", "trailer", "upgrade", "x-accel-buffering", "x-accel-charset",
    "x-accel-limit-rate", "x-accel-redirect", "x-cache", "x-forwarded-proto", "x-real-ip",
}  # fmt: skip
DISALLOWED_PREFIXES = ("x-amz-cf-", "x-amzn-", "x-edge-")
READ_ONLY = ("cdn-loop", "content-length", "host", "transfer-encoding", "via")
MAX_RESPONSE_BYTES = 40 * 1_024


def assert_valid_result(result: Result, event: dict[str, Any]) -> None:
    """Fail if CloudFront would answer the result with a 502."""
    if "status" in result:
        _check_response(result)
    else:
        _check_request(result, event["Records"][0]["cf"]["request"])


def _check_response(result: Result) -> None:
    assert isinstance(result["status"], str)
    assert 200 <= int(result["status"]) <= 599
    size = len(result.get("body", "").encode())
    for name, entries in result["headers"].items():
        assert name == name.lower()
        assert name not in DISALLOWED
        assert not name.startswith(DISALLOWED_PREFIXES)
        for entry in entries:
            assert entry["key"].lower() == name
            value = entry["value"]
            assert isinstance(value, str)
            assert value.isascii(), (name, value)
            assert value.isprintable(), (name, value)
            size += len(name) + len(value) + 4
    assert size <= MAX_RESPONSE_BYTES
    assert result["headers"]["cache-control"][0]["value"] == "no-store"


def _check_request(result: Result, request: dict[str, Any]) -> None:
    assert result["uri"].startswith("/")
    assert result["method"] == request["method"]
    assert result.get("querystring") == request.get("querystring")
    for name in READ_ONLY:
        assert result["headers"].get(name) == request["headers"].get(name)
    for name, entries in result["headers"].items():
        plain = name.lower().replace("_", "-")
        assert not plain.startswith("cloudfront-") or name in request["headers"]
        if plain == "cookie":
            assert not any("__Host-meridian-" in entry["value"] for entry in entries)
