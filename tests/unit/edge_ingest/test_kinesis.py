"""Tests for `kinesis`: PutRecords requests, error codes, clock skew and endpoints."""

import base64
import json
import time

import pytest

from edge_ingest import sigv4
from edge_ingest.http_client import Endpoint
from edge_ingest.kinesis import KinesisClient, KinesisError, PutResult, RecordEntry, endpoint_of
from tests.unit.edge_ingest.harness import NOW, Clock
from tests.unit.edge_ingest.http_server import (
    Network,
    Script,
    ServerConnection,
    acknowledge,
    network,
)

ENTRIES = [RecordEntry(b"one", "k1"), RecordEntry(b"two", "k2")]
STORED = PutResult(shard_id="s", sequence_number="1")
DATE = "Sat, 21 Nov 2026 12:00:00 GMT"
THROTTLED = "ProvisionedThroughputExceededException"


def credentials() -> sigv4.Credentials:
    return sigv4.Credentials("AKID", "secret", "token")


def kinesis(connect: Network, clock: Clock | None = None) -> KinesisClient:
    return KinesisClient(connect, clock or Clock(), credentials)


def put_once(script: Script, timeout: float = 30.0) -> list[PutResult]:
    with network(script) as connect:
        return kinesis(connect).put_records("eu-west-2", "events", ENTRIES, timeout)


def error_of(*scripts: Script | None, clock: Clock | None = None) -> KinesisError:
    with network(*scripts) as connect, pytest.raises(KinesisError) as caught:
        kinesis(connect, clock).put_records("eu-west-2", "events", ENTRIES, 1.0)
    return caught.value


def failing(status: int, document: object, times: int = 1, **headers: str) -> Script:
    def script(server: ServerConnection) -> None:
        for _ in range(times):
            server.request()
            server.respond(status, json.dumps(document).encode(), **headers)

    return script


def test_put_records_sends_signed_request() -> None:
    seen: list[tuple[dict[str, str], bytes]] = []

    def script(server: ServerConnection) -> None:
        seen.append(server.request())
        server.respond_put_records(None, None)

    with network(script) as connect:
        assert kinesis(connect).put_records("eu-west-2", "events", ENTRIES, 2) == [STORED, STORED]
        assert connect.endpoints == [
            Endpoint(tls=True, host="kinesis.eu-west-2.amazonaws.com", port=443)
        ]
    headers, body = seen[0]
    assert headers["x-amz-target"] == "Kinesis_20131202.PutRecords"
    assert headers["x-amz-security-token"] == "token"
    assert headers["x-amz-date"] == "20261121T120000Z"
    assert "/20261121/eu-west-2/kinesis/aws4_request" in headers["authorization"]
    document = json.loads(body)
    assert document["StreamName"] == "events"
    assert [
        RecordEntry(base64.b64decode(r["Data"]), r["PartitionKey"]) for r in document["Records"]
    ] == ENTRIES


@pytest.mark.parametrize(("status", "reachable"), [(400, True), (200, True), (503, False)])
def test_probe_sends_no_record_and_accepts_any_answer_but_a_server_error(
    status: int, reachable: bool
) -> None:
    bodies: list[bytes] = []

    def script(server: ServerConnection) -> None:
        bodies.append(server.request()[1])
        server.respond(status, b'{"__type":"ValidationException"}')

    with network(script) as connect:
        assert kinesis(connect).is_reachable("eu-west-2", "events", 2.0) is reachable
    assert json.loads(bodies[0]) == {"StreamName": "events", "Records": []}


def test_probe_of_unreachable_region_fails() -> None:
    with network(None) as connect:
        assert not kinesis(connect).is_reachable("eu-west-2", "events", 1.0)


def test_put_records_returns_position_or_error_code_of_each_record() -> None:
    def script(server: ServerConnection) -> None:
        server.request()
        server.respond_put_records(None, THROTTLED)

    assert put_once(script) == [STORED, PutResult(THROTTLED)]


@pytest.mark.parametrize(
    ("status", "document", "code", "retryable"),
    [
        (400, {"__type": THROTTLED}, THROTTLED, True),
        (400, {"__type": f"com.amazonaws.kinesis.v20131202#{THROTTLED}"}, THROTTLED, True),
        (400, {"__type": "LimitExceededException"}, "LimitExceededException", True),
        (400, {"__type": "ExpiredTokenException"}, "ExpiredTokenException", True),
        (400, {"__type": "ResourceNotFoundException"}, "ResourceNotFoundException", False),
        (400, {"__type": "AccessDeniedException"}, "AccessDeniedException", False),
        (400, {"__type": "ValidationException", "message": "…"}, "ValidationException", False),
        (403, ["?"], "http_403", False),
        (500, {"__type": "InternalFailure"}, "InternalFailure", True),
        (503, None, "http_503", True),
    ],
)
def test_failed_call_is_retryable_by_its_error_code(
    status: int, document: object, code: str, *, retryable: bool
) -> None:
    error = error_of(failing(status, document))
    assert (error.code, error.retryable) == (code, retryable)


def test_error_code_is_read_from_errortype_header() -> None:
    error = error_of(failing(400, {}, x_amzn_ErrorType=f"{THROTTLED}:http://internal.amazon.com/"))
    assert (error.code, error.retryable) == (THROTTLED, True)


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"<html>", b'{"FailedRecordCount":0,"Records":[]}', b"\xff", b"[" * 99_999]
)
def test_unreadable_200_response_is_a_retryable_error(body: bytes) -> None:
    def script(server: ServerConnection) -> None:
        server.request()
        server.respond(200, body)

    error = error_of(script)
    assert (error.code, error.retryable) == ("unreadable_response", True)


def test_refused_connection_is_retryable() -> None:
    error = error_of(None)
    assert (error.code, error.retryable) == ("unreachable", True)


def test_missing_credentials_are_not_retryable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    with network() as connect, pytest.raises(KinesisError) as caught:
        KinesisClient(connect).put_records("eu-west-2", "events", ENTRIES, 1)
    assert (caught.value.code, caught.value.retryable) == ("no_credentials", False)


@pytest.mark.parametrize("skew", [-7200.0, 900.0])
@pytest.mark.parametrize("code", ["InvalidSignatureException", "RequestTimeTooSkewed"])
def test_skewed_clock_is_corrected_by_the_date_header(skew: float, code: str) -> None:
    dates: list[str] = []

    def script(server: ServerConnection) -> None:
        dates.append(server.request()[0]["x-amz-date"])
        server.respond(400, json.dumps({"__type": code}).encode(), Date=DATE)
        for _ in range(2):
            dates.append(server.request()[0]["x-amz-date"])
            server.respond_put_records(None, None)

    with network(script) as connect:
        client = kinesis(connect, Clock(NOW + skew))
        assert client.put_records("eu-west-2", "events", ENTRIES, 2) == [STORED, STORED]
        assert client.put_records("eu-west-2", "events", ENTRIES, 2) == [STORED, STORED]
    assert dates[0] == time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(NOW + skew))
    assert dates[1:] == ["20261121T120000Z"] * 2


def test_signature_error_is_final_when_clock_is_correct() -> None:
    error = error_of(failing(400, {"__type": "InvalidSignatureException"}, Date=DATE))
    assert (error.code, error.retryable) == ("InvalidSignatureException", False)


def test_clock_is_unchanged_when_response_has_no_date() -> None:
    clock = Clock(time.time())
    error = error_of(failing(400, {"__type": "RequestExpired"}), clock=clock)
    assert error.code == "RequestExpired"


def test_client_keeps_one_connection_per_region() -> None:
    with network(acknowledge(2), acknowledge(1)) as connect:
        client = kinesis(connect)
        for region in ("eu-west-2", "us-east-1", "eu-west-2"):
            assert client.put_records(region, "events", ENTRIES, 2) == [STORED, STORED]
        assert [endpoint.host.split(".")[1] for endpoint in connect.endpoints] == [
            "eu-west-2",
            "us-east-1",
        ]


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("http://127.0.0.1:4566", Endpoint(tls=False, host="127.0.0.1", port=4566)),
        ("http://localhost/", Endpoint(tls=False, host="localhost", port=80)),
        ("https://kinesis.test", Endpoint(tls=True, host="kinesis.test", port=443)),
        ("https://[::1]:8443/x", Endpoint(tls=True, host="::1", port=8443)),
        ("http://[::1]", Endpoint(tls=False, host="::1", port=80)),
    ],
)
def test_environment_variables_override_the_endpoint(
    url: str, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    assert endpoint_of("us-east-1") == endpoint
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://elsewhere:1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_KINESIS", url)
    assert endpoint_of("us-east-1") == endpoint
