"""PutRecords: what is acknowledged, what fails alone, what fails as a whole, and skewed clocks."""

import base64
import json
import time

import pytest

from edge_ingest import signing
from edge_ingest.http import Endpoint
from edge_ingest.kinesis import Entry, Kinesis, PutError, endpoint_of
from tests.unit.edge_ingest.edge import NOW, Clock
from tests.unit.edge_ingest.peer import Network, Script, Wire, acknowledge, network, put

ENTRIES = [Entry(b"one", "k1"), Entry(b"two", "k2")]
DATE = "Sat, 21 Nov 2026 12:00:00 GMT"
THROTTLED = "ProvisionedThroughputExceededException"


def keys() -> signing.Credentials:
    return signing.Credentials("AKID", "secret", "token")


def kinesis(dial: Network, clock: Clock | None = None) -> Kinesis:
    return Kinesis(dial, clock or Clock(), keys)


def put_once(script: Script, seconds: float = 2.0) -> list[str | None]:
    with network(script) as dial:
        return kinesis(dial).put("eu-west-2", "events", ENTRIES, seconds)


def error_of(*scripts: Script | None, clock: Clock | None = None) -> PutError:
    with network(*scripts) as dial, pytest.raises(PutError) as caught:
        kinesis(dial, clock).put("eu-west-2", "events", ENTRIES, 1.0)
    return caught.value


def failing(status: int, document: object, times: int = 1, **headers: str) -> Script:
    def script(wire: Wire) -> None:
        for _ in range(times):
            wire.request()
            wire.answer(status, json.dumps(document).encode(), **headers)

    return script


def test_the_call_is_that_of_the_api() -> None:
    seen: list[tuple[dict[str, str], bytes]] = []

    def script(wire: Wire) -> None:
        seen.append(wire.request())
        put(wire, None, None)

    with network(script) as dial:
        assert kinesis(dial).put("eu-west-2", "events", ENTRIES, 2) == [None, None]
        assert dial.dialled == [
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
        Entry(base64.b64decode(r["Data"]), r["PartitionKey"]) for r in document["Records"]
    ] == ENTRIES


def test_records_fail_one_by_one() -> None:
    def script(wire: Wire) -> None:
        wire.request()
        put(wire, None, THROTTLED)

    assert put_once(script) == [None, THROTTLED]


@pytest.mark.parametrize(
    ("status", "document", "code", "passing"),
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
def test_a_failed_call_is_passing_or_not(
    status: int, document: object, code: str, *, passing: bool
) -> None:
    error = error_of(failing(status, document))
    assert (error.code, error.passing) == (code, passing)


def test_the_error_type_may_stand_in_a_header() -> None:
    error = error_of(failing(400, {}, x_amzn_ErrorType=f"{THROTTLED}:http://internal.amazon.com/"))
    assert (error.code, error.passing) == (THROTTLED, True)


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"<html>", b'{"FailedRecordCount":0,"Records":[]}', b"\xff", b"[" * 99_999]
)
def test_an_answer_that_acknowledges_nothing_is_no_success(body: bytes) -> None:
    def script(wire: Wire) -> None:
        wire.request()
        wire.answer(200, body)

    error = error_of(script)
    assert (error.code, error.passing) == ("unreadable_response", True)


def test_no_connection_passes() -> None:
    error = error_of(None)
    assert (error.code, error.passing) == ("unreachable", True)


def test_no_credentials_do_not_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    with network() as dial, pytest.raises(PutError) as caught:
        Kinesis(dial).put("eu-west-2", "events", ENTRIES, 1)
    assert (caught.value.code, caught.value.passing) == ("no_credentials", False)


@pytest.mark.parametrize("skew", [-7200.0, 900.0])
@pytest.mark.parametrize("code", ["InvalidSignatureException", "RequestTimeTooSkewed"])
def test_a_clock_that_is_off_takes_over_the_servers(skew: float, code: str) -> None:
    dates: list[str] = []

    def script(wire: Wire) -> None:
        dates.append(wire.request()[0]["x-amz-date"])
        wire.answer(400, json.dumps({"__type": code}).encode(), Date=DATE)
        for _ in range(2):
            dates.append(wire.request()[0]["x-amz-date"])
            put(wire, None, None)

    with network(script) as dial:
        client = kinesis(dial, Clock(NOW + skew))
        assert client.put("eu-west-2", "events", ENTRIES, 2) == [None, None]
        assert client.put("eu-west-2", "events", ENTRIES, 2) == [None, None]
    assert dates[0] == time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(NOW + skew))
    assert dates[1:] == ["20261121T120000Z"] * 2


def test_a_wrong_signature_by_a_right_clock_is_final() -> None:
    error = error_of(failing(400, {"__type": "InvalidSignatureException"}, Date=DATE))
    assert (error.code, error.passing) == ("InvalidSignatureException", False)


def test_a_server_without_a_clock_is_not_followed() -> None:
    clock = Clock(time.time())
    error = error_of(failing(400, {"__type": "RequestExpired"}), clock=clock)
    assert error.code == "RequestExpired"


def test_one_connection_for_each_region() -> None:
    with network(acknowledge(2), acknowledge(1)) as dial:
        client = kinesis(dial)
        for region in ("eu-west-2", "us-east-1", "eu-west-2"):
            assert client.put(region, "events", ENTRIES, 2) == [None, None]
        assert [endpoint.host.split(".")[1] for endpoint in dial.dialled] == [
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
def test_the_standard_variables_say_where_kinesis_is(
    url: str, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    assert endpoint_of("us-east-1") == endpoint
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://elsewhere:1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_KINESIS", url)
    assert endpoint_of("us-east-1") == endpoint
