"""What is asked of S3 and of custom origins, with the connections in memory."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from aws_emulator.cloudfront import headers as h
from aws_emulator.cloudfront.client import ConnectError
from aws_emulator.cloudfront.errors import OriginError
from aws_emulator.cloudfront.model import Origin, Request
from aws_emulator.cloudfront.origins import OriginAnswer, Origins
from aws_emulator.cloudfront.settings import parse_endpoint
from aws_emulator.tests.cloudfront.fakes import ARN

DOMAIN = "b.s3.eu-west-2.amazonaws.com"
BUCKET = Origin("portal", "s3", DOMAIN, signing="always", region="eu-west-2")
API = Origin("api", "custom", "abc123.execute-api.us-east-1.amazonaws.com", "/live")
LIVE = Origin("live", "custom", "localhost", protocol="http", port=8000)
ENDPOINT = parse_endpoint("http://127.0.0.1:4566", "us-east-1")


def policy(*actions: str) -> bytes:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "cloudfront.amazonaws.com"},
        "Action": list(actions),
        "Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"],
        "Condition": {"StringEquals": {"AWS:SourceArn": ARN}},
    }
    return json.dumps({"Statement": [statement]}).encode()


class FakeAnswer:
    def __init__(self, status: int, body: bytes = b"") -> None:
        self.status = status
        self.reason = ""
        self.headers: h.HeaderMap = {}
        self.body = body
        self.closed = False

    async def read(self, _: float) -> bytes:
        return self.body

    def close(self) -> None:
        self.closed = True


class FakePool:
    """Answers by target; an exception is raised instead. Keeps what was sent."""

    def __init__(self, bucket_policy: bytes | None, *answers: Any) -> None:
        self._policy = bucket_policy
        self._answers = list(answers)
        self.sent: list[tuple[Any, str, str, dict[str, str], bytes]] = []

    async def send(
        self, address: Any, method: str, target: str, headers: Any, body: bytes = b"", **_: Any
    ) -> Any:
        if target == "/b?policy=":
            missing = self._policy is None
            return FakeAnswer(404 if missing else 200, self._policy or b"<Error/>")
        named = {name.lower(): value for name, value in headers}
        self.sent.append((address, method, target, named, body))
        given = self._answers.pop(0)
        if isinstance(given, Exception):
            raise given
        return given


def request(uri: str = "/a.html", method: str = "GET", query: str = "", **headers: str) -> Request:
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return Request(method, uri, query, h.collect([("Host", DOMAIN), *pairs]))


def send(
    pool: FakePool, origin: Origin, asked: Request, api: tuple[str, int] | None = None
) -> OriginAnswer:
    origins = Origins(ENDPOINT, pool, api)  # type: ignore[arg-type]  # the pool is a fake
    return asyncio.run(origins.send(origin, asked, ARN))


READ = policy("s3:GetObject")


def test_a_page_is_asked_of_the_bucket_with_a_signature() -> None:
    pool = FakePool(READ, FakeAnswer(200, b"x"))
    asked = request("/a%20b/%C3%A9.html", range="bytes=0-1", cookie="secret", query="acl")
    answer = send(pool, replace(BUCKET, path="/site"), asked)
    assert answer.status == 200
    ((address, method, target, headers, _),) = pool.sent
    assert (address, method) == (("127.0.0.1", 4566), "GET")
    # Neither cookies nor a query reach the bucket.
    assert target == "/b/site/a%20b/%C3%A9.html"
    assert headers["range"] == "bytes=0-1"
    assert "cookie" not in headers
    assert "/eu-west-2/s3/aws4_request" in headers["authorization"]
    assert h.first(answer.headers, "server") == "AmazonS3"


@pytest.mark.parametrize(
    ("bucket_policy", "origin", "asked", "code"),
    [
        (None, BUCKET, request(), b"AccessDenied"),
        (READ, replace(BUCKET, signing=None), request(), b"AccessDenied"),
        (READ, replace(BUCKET, signing="never"), request(), b"AccessDenied"),
        (READ, BUCKET, request(method="PUT"), b"AccessDenied"),
        (READ, BUCKET, request(method="DELETE"), b"AccessDenied"),
        (READ, BUCKET, request(method="POST"), b"AccessDenied"),
        (READ, BUCKET, replace(request(), headers={"host": [("Host", "school")]}), b"Signature"),
    ],
)
def test_what_s3_refuses_never_reaches_the_bucket(
    bucket_policy: bytes | None, origin: Origin, asked: Request, code: bytes
) -> None:
    pool = FakePool(bucket_policy)
    answer = send(pool, origin, asked)
    assert answer.status == 403
    assert code in (answer.body or b"")
    assert pool.sent == []


def test_a_missing_page_is_404_only_to_who_may_list() -> None:
    gone = FakeAnswer(404)
    assert send(FakePool(READ, gone), BUCKET, request()).status == 403
    assert gone.closed
    may_list = policy("s3:GetObject", "s3:ListBucket")
    assert send(FakePool(may_list, FakeAnswer(404)), BUCKET, request()).status == 404


def test_a_bucket_takes_a_put_where_its_policy_says_so() -> None:
    pool = FakePool(policy("s3:PutObject"), FakeAnswer(200))
    asked = replace(request(method="PUT"), body=b"new")
    assert send(pool, BUCKET, asked).status == 200
    assert (pool.sent[0][3]["content-length"], pool.sent[0][4]) == ("3", b"new")


def test_an_api_is_asked_through_the_emulator() -> None:
    pool = FakePool(None, FakeAnswer(200))
    send(pool, API, request("/api/é x".replace(" ", "%20"), query="a=%20"))
    ((address, _, target, headers, _),) = pool.sent
    assert address == ("127.0.0.1", 4566)
    assert target == "/_aws/execute-api/abc123/live/api/%C3%A9%20x?a=%20"
    assert headers["host"] == "127.0.0.1:4566"


def test_an_api_is_asked_through_who_answers_for_it_by_the_host_it_knows() -> None:
    pool = FakePool(None, FakeAnswer(200))
    send(pool, API, request("/api/x"), ("127.0.0.1", 9000))
    ((address, _, target, headers, _),) = pool.sent
    assert (address, target) == (("127.0.0.1", 9000), "/live/api/x")
    assert headers["host"] == DOMAIN


def test_custom_headers_are_added() -> None:
    pool = FakePool(None, FakeAnswer(200))
    send(pool, replace(LIVE, custom_headers=(("X-Secret", "1"),)), request(x_own="2"))
    headers = pool.sent[0][3]
    assert (headers["x-secret"], headers["x-own"], headers["host"]) == ("1", "2", DOMAIN)


def test_no_traffic_leaves_the_laptop() -> None:
    pool = FakePool(None)
    for domain in ("example.org", "localhost.example.org", "10.0.0.1"):
        with pytest.raises(OriginError) as caught:
            send(pool, replace(LIVE, domain=domain), request())
        assert caught.value.status == 502
    with pytest.raises(OriginError):
        send(pool, replace(BUCKET, domain="example.org"), request())


def test_a_broken_connection_is_tried_again_for_get_only() -> None:
    pool = FakePool(None, ConnectionError("x"), ConnectionError("x"), FakeAnswer(200))
    assert send(pool, LIVE, request()).status == 200
    pool = FakePool(None, ConnectionError("x"), FakeAnswer(200))
    with pytest.raises(OriginError):
        send(pool, LIVE, request(method="POST"))
    assert len(pool.sent) == 1


def test_what_cannot_be_reached_is_502_and_what_is_late_504() -> None:
    for error, status in ((ConnectError("x"), 502), (TimeoutError(), 504)):
        pool = FakePool(None, error)
        with pytest.raises(OriginError) as caught:
            send(pool, LIVE, request())
        assert caught.value.status == status
        assert len(pool.sent) == 1
