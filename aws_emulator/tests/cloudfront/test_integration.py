"""The local edge on a private emulator: a deployed distribution, and small functions in it."""

import base64
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from pytest_socket import enable_socket

from aws_emulator.cloudfront import managed
from aws_emulator.cloudfront.policies import (
    parse_cache_policy,
    parse_origin_request_policy,
    parse_response_headers_policy,
)
from aws_emulator.tests.cloudfront.deployment import BUCKET, PAGES, deploy
from aws_emulator.tests.cloudfront.stage import (
    EMULATOR,
    LAMBDA,
    ROOT,
    Stage,
    emulator,
    free_port,
    running_edge,
    scratch,
)
from aws_emulator.tests.waiting import wait_until

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        not (EMULATOR.exists() and LAMBDA.exists()),
        reason="the emulator's environments are not installed: run `make up` once",
    ),
]


class Live(BaseHTTPRequestHandler):
    """The custom origin of the tests: tells what it was asked."""

    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        if self.path.startswith("/live/slow"):
            time.sleep(6)
        length = int(self.headers.get("Content-Length", 0))
        told = {
            "method": self.command,
            "path": self.path,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body": self.rfile.read(length).decode(),
        }
        body = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        if self.path.startswith("/live/chunked"):
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for at in range(0, len(body), 50):
                part = body[at : at + 50]
                self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
            self.wfile.write(b"0\r\n\r\n")
            return
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_POST = do_HEAD = do_DELETE = do_PUT = answer  # noqa: N815 - the names that http.server calls

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    enable_socket()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Live)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with scratch() as directory, emulator(directory) as (aws, _):
        distribution, _ = deploy(aws, server.server_address[1])
        with running_edge(aws, directory) as (edge, _, log):
            yield Stage(aws, edge, distribution, log)
    server.shutdown()
    server.server_close()


@pytest.fixture
def web(stage: Stage) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stage.edge, timeout=40) as client:
        yield client


def result(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


def test_the_portal_is_served_from_the_private_bucket(web: httpx.Client) -> None:
    for path, key in (("/", "index.html"), ("/page.html", "page.html"), ("/big.bin", "big.bin")):
        answer = web.get(path)
        assert (answer.status_code, answer.content) == (200, PAGES[key])
    assert web.get("/name%20with%20space.txt").content == b"space"
    again = web.get("/page.html")
    assert again.headers["x-cache"] == "Hit from cloudfront"
    assert int(again.headers["age"]) >= 0
    assert again.headers["x-frame-options"] == "SAMEORIGIN"
    assert "cloudfront.net" in again.headers["via"]


def test_a_missing_page_is_forbidden_without_list_bucket(web: httpx.Client) -> None:
    answer = web.get("/nothing.html")
    assert (answer.status_code, "AccessDenied" in answer.text) == (403, True)
    assert answer.headers["x-cache"] == "Error from cloudfront"


def test_ranges_and_conditions_work_on_a_miss_and_on_a_hit(web: httpx.Client) -> None:
    # CachingDisabled: each goes to the bucket.
    for path in ("/premium/a.html", "/page.html"):
        whole = web.get(path)
        part = web.get(path, headers={"Range": "bytes=1-2"})
        assert (part.status_code, part.content) == (206, whole.content[1:3])
        same = web.get(path, headers={"If-None-Match": whole.headers["etag"]})
        assert (same.status_code, same.content) == (304, b"")
        head = web.head(path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == str(len(whole.content))


def test_a_viewer_event_is_the_documented_one(web: httpx.Client, stage: Stage) -> None:
    answer = web.get(
        "/premium/%7Ex/a.html?do=event&q=%20",
        headers={"CloudFront-Viewer-Country": "GB", "X-Local-Viewer-Address": "203.0.113.9"},
    )
    (record,) = answer.json()["Records"]
    assert record["cf"]["config"]["distributionId"] == stage.distribution
    assert record["cf"]["config"]["requestId"] == answer.headers["x-amz-cf-id"]
    shown = record["cf"]["request"]
    assert shown["clientIp"] == "203.0.113.9"
    assert (shown["uri"], shown["querystring"]) == ("/premium/%7Ex/a.html", "do=event&q=%20")
    # The client's own word: worth nothing, but visible.
    assert shown["headers"]["cloudfront-viewer-country"][0]["value"] == "GB"
    assert "x-local-viewer-address" not in shown["headers"]
    assert "origin" not in shown
    assert "body" not in shown


def test_an_origin_event_is_the_documented_one(web: httpx.Client) -> None:
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


def test_without_a_policy_the_origin_event_has_no_query_and_no_geography(
    web: httpx.Client, stage: Stage
) -> None:
    # The function gets no query, so it passes the request on, and the bucket says no.
    answer = web.get("/narrow/x?do=deny", headers={"X-Local-Viewer-Country": "IN"})
    assert answer.status_code == 403
    assert json.loads(stage.log.read_text().splitlines()[-1])["functions"] == {
        "origin-request": "passed"
    }


@pytest.mark.parametrize("size", [40_959, 40_960, 40_961])
def test_a_viewer_body_is_cut_at_40_kb(web: httpx.Client, size: int) -> None:
    answer = web.post("/body/x?do=cut", content=b"x" * size)
    assert answer.json() == {"inputTruncated": size > 40_960, "length": min(size, 40_960)}


def test_an_origin_body_is_cut_at_1_mb(web: httpx.Client) -> None:
    for size, cut in ((1_048_576, False), (1_048_577, True)):
        answer = web.post("/v1/x?do=cut", content=b"x" * size)
        assert answer.json() == {"inputTruncated": cut, "length": 1_048_576}


def test_functions_answer_and_change_requests(web: httpx.Client) -> None:
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
def test_what_cloudfront_refuses_is_refused(
    web: httpx.Client, path: str, status: int, word: str
) -> None:
    answer = web.get(path)
    assert answer.status_code == status
    assert answer.headers["x-cache"].startswith(word)


def test_limits_of_the_request_itself(web: httpx.Client) -> None:
    assert web.get("/" + "a" * 9_000).status_code == 414
    assert web.get("/page.html", headers={"X-Long": "a" * 20_480}).status_code == 413
    assert web.post("/page.html").status_code == 403
    assert web.request("GET", "/page.html", content=b"x").status_code == 403


def test_an_answer_of_an_origin_function_is_kept_where_the_policy_says_so(
    web: httpx.Client,
) -> None:
    made = web.get("/kept/x?do=cache")
    kept = web.get("/kept/x?do=cache")
    assert kept.text == made.text
    assert kept.headers["x-cache"] == "Hit from cloudfront"
    assert web.get("/origin/x?do=cache").text != web.get("/origin/x?do=cache").text


def test_response_functions_are_called(web: httpx.Client, stage: Stage) -> None:
    stage.client("s3").put_object(Bucket=BUCKET, Key="both/x", Body=b"both")
    answer = web.get("/both/x")
    assert answer.content == b"both"
    assert answer.headers["x-origin-response"] == "seen"
    assert answer.headers["x-viewer-response"] == "seen"
    # No viewer-response function for an error of the origin.
    assert "x-viewer-response" not in web.get("/both/missing").headers


def test_a_custom_origin_gets_the_whole_request(web: httpx.Client) -> None:
    told = web.post("/live/x?a=1&b=%20", content=b"body", headers={"X-Own": "1"}).json()
    assert (told["method"], told["path"], told["body"]) == ("POST", "/live/x?a=1&b=%20", "body")
    assert told["headers"]["x-own"] == "1"
    assert told["headers"]["host"] == "localhost"
    assert told["headers"]["x-secret"] == "known"
    assert told["headers"]["x-forwarded-for"] == "127.0.0.1"
    assert web.get("/live/chunked").json()["path"] == "/live/chunked"
    assert web.delete("/live/x").json()["method"] == "DELETE"


def test_an_api_is_asked_on_its_stage(web: httpx.Client) -> None:
    told = web.get("/api/appointments?day=monday")
    assert told.status_code == 200, told.text
    assert told.json() == {"path": "/api/appointments", "query": {"day": "monday"}}


def test_a_group_fails_over(web: httpx.Client) -> None:
    assert web.get("/group/x").json()["path"] == "/group/x"
    assert web.get("/live/slow").status_code == 504


def test_a_replaced_body_reaches_the_origin(web: httpx.Client, stage: Stage) -> None:
    answer = web.put("/body/x?do=replace", content=b"original")
    # The bucket takes no PUT from this distribution: the request went on, and S3 refused it.
    assert answer.status_code == 403
    line = json.loads(stage.log.read_text().splitlines()[-1])
    assert line["functions"] == {"viewer-request": "passed"}


def test_requests_are_served_at_once(stage: Stage) -> None:
    def ask(_: int) -> int:
        return httpx.get(f"{stage.edge}/premium/a.html?do=sleep&s=1", timeout=40).status_code

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(8))) == [200] * 8
        started = time.monotonic()
        assert list(pool.map(ask, range(8))) == [200] * 8
    assert time.monotonic() - started < 5


def raw(stage: Stage, request: bytes) -> bytes:
    """Send bytes as they are, and give everything that comes back until the connection ends."""
    host, port = stage.edge.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(request)
        received = b""
        while part := connection.recv(65_536):
            received += part
    return received


@pytest.mark.parametrize(
    ("length", "status"), [(20_480, 200), (20_481, 413), (200_000, 413), (300_000, 400)]
)
def test_the_head_of_a_request_is_counted_to_the_byte(
    stage: Stage, length: int, status: int
) -> None:
    start = b"GET /page.html HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    rest = length - len(start) - len(b"\r\n")
    # Lines of 1,000 bytes and a last one with what is left.
    lines = [b"X-A: " + b"a" * 993 + b"\r\n"] * (rest // 1_000 - 1)
    lines.append(b"X-B: " + b"b" * (rest - 1_000 * len(lines) - 7) + b"\r\n")
    request = start + b"".join(lines) + b"\r\n"
    assert len(request) == length
    assert raw(stage, request).startswith(b"HTTP/1.1 %d " % status)


@pytest.mark.parametrize(
    ("path", "behaviour", "status"),
    [
        # Matched as it is normalised, and asked of the bucket as it was written: no such key.
        (b"/premium/../index.html", "*", 403),
        (b"/x/../premium/a.html?do=deny", "/premium/*", 401),
        (b"//premium//a.html?do=deny", "/premium/*", 401),
        (b"/%70remium/a.html?do=deny", "/premium/*", 401),
        # An escaped slash is no slash to a path pattern, but one to S3: a gate on /premium/* alone
        # does not guard what another behaviour can ask of the same bucket.
        (b"/premium%2fa.html?do=deny", "*", 200),
        (b"/PREMIUM/a.html?do=deny", "*", 403),
        (b"http://x/premium/a.html?do=deny", "/premium/*", 401),
    ],
)
def test_a_path_is_matched_as_rfc_3986_reads_it(
    stage: Stage, path: bytes, behaviour: str, status: int
) -> None:
    received = raw(stage, b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert received.startswith(b"HTTP/1.1 %d " % status)
    assert json.loads(stage.log.read_text().splitlines()[-1])["behaviour"] == behaviour


def test_pipelined_requests_are_answered_in_order(stage: Stage) -> None:
    one = b"GET /premium/x?do=deny HTTP/1.1\r\nHOST:x\r\n\r\n"
    two = b"GET /page.html HTTP/1.1\r\nhost:  x  \r\nConnection: close\r\n\r\n"
    received = raw(stage, one + two)
    assert received.index(b"401 ") < received.index(b"200 ")
    assert received.endswith(PAGES["page.html"])


def test_a_client_that_leaves_harms_nobody(stage: Stage, web: httpx.Client) -> None:
    host, port = stage.edge.removeprefix("http://").split(":")
    for request in (
        b"GET /premium/x?do=sleep&s=1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf",
        b"GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n",
        b"nonsense\r\n\r\n",
    ):
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(request)
    time.sleep(1.5)
    assert web.get("/page.html").status_code == 200


def test_the_access_log_has_no_secret(web: httpx.Client, stage: Stage) -> None:
    web.get(
        "/premium/a.html?token=secret-query",
        headers={
            "Authorization": "Bearer secret-token",
            "Cookie": "a=secret-cookie",
            "X-Local-Viewer-Address": "203.0.113.77",
        },
    )
    text = stage.log.read_text()
    for secret in ("secret", "203.0.113", "127.0.0.1"):
        assert secret not in text
    assert {"id", "method", "path", "status", "behaviour", "functions", "ms"} <= json.loads(
        text.splitlines()[-1]
    ).keys()


def test_the_managed_policies_are_those_of_the_emulator(stage: Stage) -> None:
    cloudfront = stage.client("cloudfront")
    for policy_id, cache in managed.CACHE_POLICIES.items():
        found = cloudfront.get_cache_policy(Id=policy_id)["CachePolicy"]["CachePolicyConfig"]
        assert parse_cache_policy(policy_id, found) == cache
    for policy_id, request in managed.ORIGIN_REQUEST_POLICIES.items():
        config = cloudfront.get_origin_request_policy(Id=policy_id)["OriginRequestPolicy"]
        parsed = parse_origin_request_policy(policy_id, config["OriginRequestPolicyConfig"])
        assert parsed == request
    for policy_id, response in managed.RESPONSE_HEADERS_POLICIES.items():
        config = cloudfront.get_response_headers_policy(Id=policy_id)["ResponseHeadersPolicy"]
        made = parse_response_headers_policy(policy_id, config["ResponseHeadersPolicyConfig"])
        assert made.cors == response.cors
        assert set(made.added) == set(response.added)


def test_a_new_deployment_is_seen(stage: Stage, web: httpx.Client) -> None:
    cloudfront = stage.client("cloudfront")
    found = cloudfront.get_distribution_config(Id=stage.distribution)
    config = found["DistributionConfig"]

    def serves(key: str) -> bool:
        return web.get("/").content == PAGES[key]

    for root in ("page.html", "index.html"):
        config["DefaultRootObject"] = root
        etag = cloudfront.get_distribution_config(Id=stage.distribution)["ETag"]
        cloudfront.update_distribution(
            Id=stage.distribution, IfMatch=etag, DistributionConfig=config
        )
        wait_until(partial(serves, root), "the new deployment", 10)


def test_an_invalidation_empties_the_cache(stage: Stage, web: httpx.Client) -> None:
    assert web.get("/page.html").content == PAGES["page.html"]
    stage.client("s3").put_object(Bucket=BUCKET, Key="page.html", Body=b"new")
    assert web.get("/page.html").content == PAGES["page.html"]
    stage.client("cloudfront").create_invalidation(
        DistributionId=stage.distribution,
        InvalidationBatch={"Paths": {"Quantity": 1, "Items": ["/*"]}, "CallerReference": "1"},
    )
    wait_until(lambda: web.get("/page.html").content == b"new", "the invalidation", 10)
    stage.client("s3").put_object(Bucket=BUCKET, Key="page.html", Body=PAGES["page.html"])


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "aws_emulator.cloudfront", *arguments]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


def is_one_sentence(text: str) -> bool:
    return len(text.strip().splitlines()) == 1 and "Traceback" not in text


def test_a_busy_port_is_one_sentence(stage: Stage) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ended = run("--endpoint", stage.aws, "--port", port)
    assert ended.returncode == 1
    assert is_one_sentence(ended.stderr)
    assert port in ended.stderr


def test_a_missing_distribution_or_emulator_is_one_sentence(stage: Stage) -> None:
    port = str(free_port())
    for arguments in (
        ("--endpoint", stage.aws, "--distribution", "ENONE"),
        ("--endpoint", f"http://127.0.0.1:{free_port()}"),
    ):
        ended = run(*arguments, "--port", port)
        assert ended.returncode == 1
        assert is_one_sentence(ended.stderr), ended.stderr


def test_several_distributions_want_a_name_and_the_served_one_stays(
    stage: Stage, web: httpx.Client
) -> None:
    cloudfront = stage.client("cloudfront")
    config = cloudfront.get_distribution_config(Id=stage.distribution)["DistributionConfig"]
    other = cloudfront.create_distribution(
        DistributionConfig={**config, "CallerReference": "second", "DefaultRootObject": ""}
    )
    second = other["Distribution"]["Id"]
    ended = run("--endpoint", stage.aws, "--port", str(free_port()))
    assert ended.returncode == 1
    assert is_one_sentence(ended.stderr)
    assert {stage.distribution, second} <= set(re.split(r"[^A-Z0-9]+", ended.stderr))
    etag = cloudfront.get_distribution_config(Id=stage.distribution)["ETag"]
    cloudfront.update_distribution(
        Id=stage.distribution, IfMatch=etag, DistributionConfig={**config, "Comment": "again"}
    )
    time.sleep(2.5)
    assert web.get("/").content == PAGES["index.html"]


def test_a_function_that_may_not_be_associated_is_named_at_the_start(stage: Stage) -> None:
    said = stage.log.with_name("edge.log").read_text()
    assert "The viewer-request function is no numbered version" in said
    assert said.count("\n") < 20


def test_a_stop_signal_ends_it_cleanly(stage: Stage, tmp_path: Path) -> None:
    with running_edge(stage.aws, tmp_path, "--distribution", stage.distribution) as (_, process, _):
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_a_lost_emulator_ends_it_in_one_sentence(tmp_path: Path) -> None:
    with emulator(tmp_path) as (aws, emulated):
        deploy(aws, 1)
        with running_edge(aws, tmp_path) as (_, process, _):
            emulated.kill()
            emulated.wait()
            started = time.monotonic()
            assert process.wait(10) == 1
            assert time.monotonic() - started < 6
    assert "is gone" in (tmp_path / "edge.log").read_text().splitlines()[-1]
