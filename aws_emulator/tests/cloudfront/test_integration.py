"""Tests of requests through a deployed distribution on a private emulated AWS."""

import base64
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from aws_emulator.tests.cloudfront.deployment import BUCKET, PAGES
from aws_emulator.tests.cloudfront.harness import (
    INTEGRATION,
    Environment,
)

pytestmark = INTEGRATION


def result(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


def test_distribution_serves_private_bucket(web: httpx.Client) -> None:
    for path, key in (("/", "index.html"), ("/page.html", "page.html"), ("/big.bin", "big.bin")):
        answer = web.get(path)
        assert (answer.status_code, answer.content) == (200, PAGES[key])
    assert web.get("/name%20with%20space.txt").content == b"space"
    again = web.get("/page.html")
    assert again.headers["x-cache"] == "Hit from cloudfront"
    assert int(again.headers["age"]) >= 0
    assert again.headers["x-frame-options"] == "SAMEORIGIN"
    assert "cloudfront.net" in again.headers["via"]


def test_missing_page_returns_403_without_list_bucket(web: httpx.Client) -> None:
    answer = web.get("/nothing.html")
    assert (answer.status_code, "AccessDenied" in answer.text) == (403, True)
    assert answer.headers["x-cache"] == "Error from cloudfront"


def test_range_returns_206_and_condition_304_on_miss_and_hit(web: httpx.Client) -> None:
    # /premium/* has the CachingDisabled policy: each request goes to the bucket.
    for path in ("/premium/a.html", "/page.html"):
        whole = web.get(path)
        part = web.get(path, headers={"Range": "bytes=1-2"})
        assert (part.status_code, part.content) == (206, whole.content[1:3])
        same = web.get(path, headers={"If-None-Match": whole.headers["etag"]})
        assert (same.status_code, same.content) == (304, b"")
        head = web.head(path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == str(len(whole.content))


def test_viewer_request_event_is_as_documented(web: httpx.Client, environment: Environment) -> None:
    answer = web.get(
        "/premium/%7Ex/a.html?do=event&q=%20",
        headers={"CloudFront-Viewer-Country": "GB", "X-Local-Viewer-Address": "203.0.113.9"},
    )
    (record,) = answer.json()["Records"]
    assert record["cf"]["config"]["distributionId"] == environment.distribution
    assert record["cf"]["config"]["requestId"] == answer.headers["x-amz-cf-id"]
    shown = record["cf"]["request"]
    assert shown["clientIp"] == "203.0.113.9"
    assert (shown["uri"], shown["querystring"]) == ("/premium/%7Ex/a.html", "do=event&q=%20")
    # The function sees the header that the viewer sent, which isn't trustworthy.
    assert shown["headers"]["cloudfront-viewer-country"][0]["value"] == "GB"
    assert "x-local-viewer-address" not in shown["headers"]
    assert "origin" not in shown
    assert "body" not in shown


def test_origin_request_event_is_as_documented(web: httpx.Client) -> None:
    answer = web.post(
        "/v1/batch?do=event",
        content=b'{"batch":[]}',
        headers={
            "CloudFront-Viewer-Country": "GB",
            "X-Local-Viewer-Address": "203.0.113.9",
            "X-Local-Viewer-Country": "IN",
            "X-Local-Viewer-City": "Mumbai",
        },
    )
    shown = answer.json()["Records"][0]["cf"]["request"]
    assert base64.b64decode(shown["body"]["data"]) == b'{"batch":[]}'
    assert shown["headers"]["cloudfront-viewer-country"][0]["value"] == "IN"
    assert shown["headers"]["cloudfront-viewer-city"][0]["value"] == "Mumbai"
    assert shown["headers"]["x-forwarded-for"][0]["value"] == "203.0.113.9"
    assert shown["origin"]["s3"]["domainName"] == f"{BUCKET}.s3.us-east-1.amazonaws.com"


def test_origin_event_has_no_query_without_policy(
    web: httpx.Client, environment: Environment
) -> None:
    # The function receives no query string, so it passes the request on, and S3 returns 403.
    answer = web.get("/narrow/x?do=deny", headers={"X-Local-Viewer-Country": "IN"})
    assert answer.status_code == 403
    line = environment.logged(answer.headers["x-amz-cf-id"])
    assert line["functions"] == {"origin-request": "passed"}


@pytest.mark.parametrize("size", [40_959, 40_960, 40_961])
def test_viewer_request_body_is_truncated_at_40_kb(web: httpx.Client, size: int) -> None:
    answer = web.post("/body/x?do=cut", content=b"x" * size)
    assert answer.json() == {"inputTruncated": size > 40_960, "length": min(size, 40_960)}


def test_origin_request_body_is_truncated_at_1_mb(web: httpx.Client) -> None:
    for size, cut in ((1_048_576, False), (1_048_577, True)):
        answer = web.post("/v1/x?do=cut", content=b"x" * size)
        assert answer.json() == {"inputTruncated": cut, "length": 1_048_576}


def test_functions_generate_responses_and_change_requests(web: httpx.Client) -> None:
    denied = web.get("/premium/a.html?do=deny")
    assert (denied.status_code, denied.text) == (401, "no")
    assert denied.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert denied.headers["x-cache"] == "LambdaGeneratedResponse from cloudfront"
    passed = web.get("/premium/a.html")
    assert (passed.status_code, passed.content) == (200, PAGES["premium/a.html"])
    rewritten = web.get("/premium/a.html?do=rewrite&uri=/page.html")
    assert rewritten.content == PAGES["page.html"]


@pytest.mark.parametrize(
    ("path", "status", "word"),
    [
        ("/premium/x?do=host", 502, "LambdaValidationError"),
        ("/premium/x?do=connection", 502, "LambdaValidationError"),
        ("/premium/x?do=none", 502, "LambdaValidationError"),
        ("/premium/x?do=size&n=40938", 200, "LambdaGeneratedResponse"),
        ("/premium/x?do=size&n=40961", 502, "LambdaValidationError"),
        ("/v1/x?do=size&n=1048576", 200, "LambdaGeneratedResponse"),
        ("/v1/x?do=size&n=1048577", 502, "LambdaValidationError"),
        ("/premium/x?do=raise", 503, "LambdaExecutionError"),
        ("/premium/x?do=sleep&s=6", 503, "LambdaLimitExceeded"),
        ("/latest/x", 503, "LambdaExecutionError"),
        (f"/premium/x?do=result&json={result({'status': '204', 'body': 'x'})}", 502, "Lambda"),
        (f"/premium/x?do=result&json={result({'uri': 'x'})}", 502, "LambdaValidationError"),
        (f"/premium/x?do=result&json={result('passed')}", 502, "LambdaValidationError"),
    ],
)
def test_invalid_function_result_returns_error(
    web: httpx.Client, path: str, status: int, word: str
) -> None:
    answer = web.get(path)
    assert answer.status_code == status
    assert answer.headers["x-cache"].startswith(word)


def test_request_over_limits_is_rejected(web: httpx.Client) -> None:
    assert web.get("/" + "a" * 9_000).status_code == 414
    assert web.get("/page.html", headers={"X-Long": "a" * 20_480}).status_code == 413
    assert web.post("/page.html").status_code == 403
    assert web.request("GET", "/page.html", content=b"x").status_code == 403


def test_generated_response_is_cached_by_policy(
    web: httpx.Client,
) -> None:
    first = web.get("/kept/x?do=cache")
    second = web.get("/kept/x?do=cache")
    assert second.text == first.text
    assert second.headers["x-cache"] == "Hit from cloudfront"
    assert web.get("/origin/x?do=cache").text != web.get("/origin/x?do=cache").text


def test_response_functions_are_invoked(web: httpx.Client, environment: Environment) -> None:
    environment.client("s3").put_object(Bucket=BUCKET, Key="both/x", Body=b"both")
    answer = web.get("/both/x")
    assert answer.content == b"both"
    assert answer.headers["x-origin-response"] == "seen"
    assert answer.headers["x-viewer-response"] == "seen"
    # CloudFront doesn't invoke the viewer-response function for an error of the origin.
    assert "x-viewer-response" not in web.get("/both/missing").headers


def test_custom_origin_receives_whole_request(web: httpx.Client) -> None:
    received = web.post("/live/x?a=1&b=%20", content=b"body", headers={"X-Own": "1"}).json()
    assert (received["method"], received["path"], received["body"]) == (
        "POST",
        "/live/x?a=1&b=%20",
        "body",
    )
    assert received["headers"]["x-own"] == "1"
    assert received["headers"]["host"] == "localhost"
    assert received["headers"]["x-secret"] == "known"
    assert received["headers"]["x-forwarded-for"] == "127.0.0.1"
    assert web.get("/live/chunked").json()["path"] == "/live/chunked"
    assert web.delete("/live/x").json()["method"] == "DELETE"


def test_rest_api_origin_is_called_on_its_stage(web: httpx.Client) -> None:
    received = web.get("/api/appointments?day=monday")
    assert received.status_code == 200, received.text
    assert received.json() == {"path": "/api/appointments", "query": {"day": "monday"}}


def test_origin_group_fails_over(web: httpx.Client) -> None:
    assert web.get("/group/x").json()["path"] == "/group/x"
    assert web.get("/live/slow").status_code == 504


def test_replaced_body_reaches_origin(web: httpx.Client, environment: Environment) -> None:
    answer = web.put("/body/x?do=replace", content=b"original")
    # The bucket policy doesn't allow PUT, so S3 returns 403 for the modified request.
    assert answer.status_code == 403
    line = environment.logged(answer.headers["x-amz-cf-id"])
    assert line["functions"] == {"viewer-request": "passed"}


def test_requests_are_served_concurrently(environment: Environment) -> None:
    """Each of two invocations returns only when the other has started."""

    def ask(_: int) -> str:
        return httpx.get(f"{environment.edge}/origin/x?do=meet", timeout=40).text

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(ask, range(2))) == ["met"] * 2


def raw(environment: Environment, request: bytes) -> bytes:
    """Send raw bytes; return everything received until the connection closes."""
    host, port = environment.edge.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(request)
        received = b""
        while part := connection.recv(65_536):
            received += part
    return received


def request_id(response: bytes) -> str:
    """Return the request ID of a raw response."""
    head = response.partition(b"\r\n\r\n")[0].decode("latin-1").splitlines()
    headers = dict(line.split(": ", 1) for line in head[1:])
    return {name.lower(): value for name, value in headers.items()}["x-amz-cf-id"]


@pytest.mark.parametrize(
    ("length", "status"), [(20_480, 200), (20_481, 413), (200_000, 413), (300_000, 400)]
)
def test_request_head_limit_is_exact(environment: Environment, length: int, status: int) -> None:
    start = b"GET /page.html HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    rest = length - len(start) - len(b"\r\n")
    # Header lines of 1,000 bytes, and a last one with the remaining bytes.
    lines = [b"X-A: " + b"a" * 993 + b"\r\n"] * (rest // 1_000 - 1)
    lines.append(b"X-B: " + b"b" * (rest - 1_000 * len(lines) - 7) + b"\r\n")
    request = start + b"".join(lines) + b"\r\n"
    assert len(request) == length
    assert raw(environment, request).startswith(b"HTTP/1.1 %d " % status)


@pytest.mark.parametrize(
    ("path", "behavior", "status"),
    [
        # CloudFront matches the normalised path, and requests the raw path: the key doesn't exist.
        (b"/premium/../index.html", "*", 403),
        (b"/x/../premium/a.html?do=deny", "/premium/*", 401),
        (b"//premium//a.html?do=deny", "/premium/*", 401),
        (b"/%70remium/a.html?do=deny", "/premium/*", 401),
        # A path pattern doesn't decode an escaped slash, but S3 does: a function on /premium/*
        # doesn't protect objects that another cache behavior can request from the same bucket.
        (b"/premium%2fa.html?do=deny", "*", 200),
        (b"/PREMIUM/a.html?do=deny", "*", 403),
        (b"http://x/premium/a.html?do=deny", "/premium/*", 401),
    ],
)
def test_path_is_normalised_before_matching(
    environment: Environment, path: bytes, behavior: str, status: int
) -> None:
    received = raw(
        environment, b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    assert received.startswith(b"HTTP/1.1 %d " % status)
    assert environment.logged(request_id(received))["behavior"] == behavior


def test_pipelined_requests_are_served_in_order(environment: Environment) -> None:
    one = b"GET /premium/x?do=deny HTTP/1.1\r\nHOST:x\r\n\r\n"
    two = b"GET /page.html HTTP/1.1\r\nhost:  x  \r\nConnection: close\r\n\r\n"
    received = raw(environment, one + two)
    assert received.index(b"401 ") < received.index(b"200 ")
    assert received.endswith(PAGES["page.html"])


def test_disconnecting_client_does_not_affect_others(
    environment: Environment, web: httpx.Client
) -> None:
    host, port = environment.edge.removeprefix("http://").split(":")
    for request in (
        b"GET /premium/x?do=sleep&s=1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf",
        b"GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n",
        b"nonsense\r\n\r\n",
    ):
        with socket.create_connection((host, int(port)), timeout=60) as connection:
            connection.sendall(request)
    time.sleep(1.5)
    assert web.get("/page.html").status_code == 200


def test_access_log_contains_no_secrets(web: httpx.Client, environment: Environment) -> None:
    answer = web.get(
        "/premium/a.html?token=secret-query",
        headers={
            "Authorization": "Bearer secret-token",
            "Cookie": "a=secret-cookie",
            "X-Local-Viewer-Address": "203.0.113.77",
        },
    )
    line = environment.logged(answer.headers["x-amz-cf-id"])
    text = environment.log.read_text()
    for secret in ("secret", "203.0.113", "127.0.0.1"):
        assert secret not in text
    assert {"id", "method", "path", "status", "behavior", "functions", "ms"} <= line.keys()
