"""Tests of origin requests to S3 and custom origins, with connections in memory."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from dnslib import RR, DNSRecord

from aws_emulator.cloudfront import headers as h
from aws_emulator.cloudfront.errors import OriginError
from aws_emulator.cloudfront.model import Origin, OriginAccessIdentity, Request
from aws_emulator.cloudfront.origins.client import OriginClient, OriginResponse
from aws_emulator.cloudfront.origins.resolver import Resolver
from aws_emulator.cloudfront.settings import parse_endpoint
from aws_emulator.cloudfront.transport.http_client import ConnectError
from aws_emulator.route53.locations import network_of
from aws_emulator.route53.messages import query
from aws_emulator.tests.cloudfront.fakes import ARN

DOMAIN = "b.s3.eu-west-2.amazonaws.com"
BUCKET = Origin("site", "s3", DOMAIN, signing_behavior="always", region="eu-west-2")
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


class FakeResponse:
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
    """Returns a response, or raises an exception, for each request; records the requests."""

    def __init__(self, bucket_policy: bytes | None, *responses: Any) -> None:
        self._policy = bucket_policy
        self._responses = list(responses)
        self.sent: list[tuple[Any, str, str, dict[str, str], bytes]] = []

    async def send(
        self, address: Any, method: str, target: str, headers: Any, body: bytes = b"", **_: Any
    ) -> Any:
        if target == "/b?policy=":
            missing = self._policy is None
            return FakeResponse(404 if missing else 200, self._policy or b"<Error/>")
        named = {name.lower(): value for name, value in headers}
        self.sent.append((address, method, target, named, body))
        response = self._responses.pop(0)
        if isinstance(response, Exception):
            raise response
        return response


def request(uri: str = "/a.html", method: str = "GET", query: str = "", **headers: str) -> Request:
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return Request(method, uri, query, h.collect([("Host", DOMAIN), *pairs]))


def send(
    pool: FakePool, origin: Origin, viewer_request: Request, api: tuple[str, int] | None = None
) -> OriginResponse:
    origins = OriginClient(ENDPOINT, pool, api)  # type: ignore[arg-type]  # the pool is a fake
    return asyncio.run(origins.send(origin, viewer_request, ARN))


READ = policy("s3:GetObject")


def test_s3_request_is_signed() -> None:
    pool = FakePool(READ, FakeResponse(200, b"x"))
    viewer_request = request("/a%20b/%C3%A9.html", range="bytes=0-1", cookie="secret", query="acl")
    answer = send(pool, replace(BUCKET, path="/site"), viewer_request)
    assert answer.status == 200
    ((address, method, target, headers, _),) = pool.sent
    assert (address, method) == (("127.0.0.1", 4566), "GET")
    # The S3 request has neither cookies nor a query string.
    assert target == "/b/site/a%20b/%C3%A9.html"
    assert headers["range"] == "bytes=0-1"
    assert "cookie" not in headers
    assert "/eu-west-2/s3/aws4_request" in headers["authorization"]
    assert h.first(answer.headers, "server") == "AmazonS3"


@pytest.mark.parametrize(
    ("bucket_policy", "origin", "viewer_request", "code"),
    [
        (None, BUCKET, request(), b"AccessDenied"),
        (READ, BUCKET, request(method="PUT"), b"AccessDenied"),
        (READ, BUCKET, request(method="DELETE"), b"AccessDenied"),
        (READ, BUCKET, request(method="POST"), b"AccessDenied"),
        (READ, BUCKET, replace(request(), headers={"host": [("Host", "example")]}), b"Signature"),
    ],
)
def test_denied_request_never_reaches_bucket(
    bucket_policy: bytes | None, origin: Origin, viewer_request: Request, code: bytes
) -> None:
    pool = FakePool(bucket_policy)
    answer = send(pool, origin, viewer_request)
    assert answer.status == 403
    assert code in (answer.body or b"")
    assert answer.refusal
    assert pool.sent == []


def test_missing_object_returns_404_only_with_list_bucket() -> None:
    gone = FakeResponse(404)
    assert send(FakePool(READ, gone), BUCKET, request()).status == 403
    assert gone.closed
    assert "has no object a.html" in (send(FakePool(READ, gone), BUCKET, request()).refusal or "")
    may_list = policy("s3:GetObject", "s3:ListBucket")
    assert send(FakePool(may_list, FakeResponse(404)), BUCKET, request()).status == 404


def test_failing_bucket_is_a_failing_origin_and_not_a_denied_request() -> None:
    """During an outage S3 can't read its policy either: an origin group must fail over."""

    class FailingPool(FakePool):
        async def send(self, *_: Any, **__: Any) -> Any:
            return FakeResponse(503, b"")

    assert send(FailingPool(None), BUCKET, request()).status == 503


def test_bucket_accepts_put_if_policy_allows() -> None:
    pool = FakePool(policy("s3:PutObject"), FakeResponse(200))
    viewer_request = replace(request(method="PUT"), body=b"new")
    assert send(pool, BUCKET, viewer_request).status == 200
    assert (pool.sent[0][3]["content-length"], pool.sent[0][4]) == ("3", b"new")


def test_rest_api_request_goes_to_emulated_aws() -> None:
    pool = FakePool(None, FakeResponse(200))
    send(pool, API, request("/api/é x".replace(" ", "%20"), query="a=%20"))
    ((address, _, target, headers, _),) = pool.sent
    assert address == ("127.0.0.1", 4566)
    assert target == "/_aws/execute-api/abc123/live/api/%C3%A9%20x?a=%20"
    assert headers["host"] == "127.0.0.1:4566"


def test_rest_api_request_goes_to_api_address_with_its_host() -> None:
    pool = FakePool(None, FakeResponse(200))
    send(pool, API, request("/api/x"), ("127.0.0.1", 9000))
    ((address, _, target, headers, _),) = pool.sent
    assert (address, target) == (("127.0.0.1", 9000), "/live/api/x")
    assert headers["host"] == DOMAIN


def test_custom_headers_are_added() -> None:
    pool = FakePool(None, FakeResponse(200))
    send(pool, replace(LIVE, custom_headers=(("X-Secret", "1"),)), request(x_own="2"))
    headers = pool.sent[0][3]
    assert (headers["x-secret"], headers["x-own"], headers["host"]) == ("1", "2", DOMAIN)


def test_client_never_connects_to_remote_host() -> None:
    pool = FakePool(None)
    for domain in ("example.org", "localhost.example.org", "10.0.0.1"):
        with pytest.raises(OriginError) as caught:
            send(pool, replace(LIVE, domain=domain), request())
        assert caught.value.status == 502
    with pytest.raises(OriginError):
        send(pool, replace(BUCKET, domain="example.org"), request())


def test_broken_connection_is_retried_for_get_only() -> None:
    pool = FakePool(None, ConnectionError("x"), ConnectionError("x"), FakeResponse(200))
    assert send(pool, LIVE, request()).status == 200
    pool = FakePool(None, ConnectionError("x"), FakeResponse(200))
    with pytest.raises(OriginError):
        send(pool, LIVE, request(method="POST"))
    assert len(pool.sent) == 1


def test_unreachable_origin_is_502_and_slow_origin_504() -> None:
    for error, status in ((ConnectError("x"), 502), (TimeoutError(), 504)):
        pool = FakePool(None, error)
        with pytest.raises(OriginError) as caught:
            send(pool, LIVE, request())
        assert caught.value.status == status
        assert len(pool.sent) == 1


def test_origin_access_identity_reads_bucket() -> None:
    arn = "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E74FTE3AJFJ256A"
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": arn},
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::b/*",
    }
    bucket_policy = json.dumps({"Statement": [statement]}).encode()
    origin = replace(
        BUCKET,
        signing_behavior=None,
        access_identity=OriginAccessIdentity("E74FTE3AJFJ256A", "canonical"),
    )
    assert send(FakePool(bucket_policy, FakeResponse(200)), origin, request()).status == 200
    assert send(FakePool(READ, FakeResponse(200)), origin, request()).status == 403
    assert send(FakePool(bucket_policy, FakeResponse(200)), BUCKET, request()).status == 403


@pytest.mark.parametrize("signing_behavior", [None, "never"])
@pytest.mark.parametrize("status", [200, 403])
def test_origin_without_access_control_sends_anonymous_request(
    signing_behavior: Any, status: int
) -> None:
    pool = FakePool(READ, FakeResponse(status))
    answer = send(pool, replace(BUCKET, signing_behavior=signing_behavior), request())
    ((_, _, target, headers, _),) = pool.sent
    assert target == "/b/a.html"
    assert "authorization" not in headers
    assert answer.status == status
    assert ("origin access control" in (answer.refusal or "")) == (status == 403)


@pytest.mark.parametrize(
    ("origin", "named"),
    [
        (BUCKET, f"aws:SourceArn is {ARN}"),
        (
            replace(
                BUCKET, signing_behavior=None, access_identity=OriginAccessIdentity("E1", "c1")
            ),
            "the origin access identity E1",
        ),
    ],
)
def test_refusal_names_bucket_action_and_caller(origin: Origin, named: str) -> None:
    refusal = send(FakePool(None), origin, request()).refusal or ""
    assert "The policy of the bucket b doesn't allow" in refusal
    assert "s3:GetObject" in refusal
    assert named in refusal


class FakeResolver(Resolver):
    """Answers each name with a fixed answer, without a server."""

    def __init__(self, record: str) -> None:
        super().__init__(("127.0.0.1", 5353), network_of("eu-west-2"))
        self.record = record
        self.asked: list[DNSRecord] = []

    def _ask(self, domain: str) -> DNSRecord:
        request = query(domain, "A", self._network)
        self.asked.append(request)
        reply = request.reply()
        reply.add_answer(*RR.fromZone(self.record))
        return reply


def test_name_of_a_hosted_zone_is_resolved_near_the_edge_location() -> None:
    resolver = FakeResolver("api.example.com. 60 A 127.0.10.1")
    pool: Any = FakePool(None, FakeResponse(200), FakeResponse(200))
    client = OriginClient(ENDPOINT, pool, ("127.0.0.1", 9000), resolver)
    origin = replace(API, domain="api.example.com")
    request = Request("GET", "/notes", "", {"host": [("Host", "api.example.com")]})
    for _ in range(2):
        assert asyncio.run(client.send(origin, request, ARN)).status == 200
    assert [it[0] for it in pool.sent] == [("127.0.10.1", 9000)] * 2
    assert {it[3]["host"] for it in pool.sent} == {"api.example.com"}
    # The resolver keeps the answer for its TTL, and names the network of the edge location.
    (asked,) = resolver.asked
    assert asked.ar[0].rdata[0].data[4:] == network_of("eu-west-2").network_address.packed[:2]


def test_origin_with_a_name_and_a_port_of_its_own_is_asked_at_that_port() -> None:
    resolver = FakeResolver("alb.example.com. 60 A 127.0.10.1")
    pool: Any = FakePool(None, FakeResponse(200))
    client = OriginClient(ENDPOINT, pool, ("127.0.0.1", 9000), resolver)
    origin = replace(API, domain="alb.example.com", port=20_001)
    request = Request("GET", "/notes", "", {"host": [("Host", "alb.example.com")]})
    assert asyncio.run(client.send(origin, request, ARN)).status == 200
    assert [it[0] for it in pool.sent] == [("127.0.10.1", 20_001)]


def test_expired_answer_is_asked_for_again() -> None:
    resolver = FakeResolver("api.example.com. 0 A 127.0.10.1")
    assert asyncio.run(resolver.lookup("api.example.com")) == "127.0.10.1"
    resolver.record = "api.example.com. 0 A 127.0.21.1"
    assert asyncio.run(resolver.lookup("api.example.com")) == "127.0.21.1"


def test_name_with_a_remote_address_is_refused() -> None:
    resolver = FakeResolver("api.example.com. 60 A 192.0.2.1")
    with pytest.raises(OriginError, match="no loopback address"):
        asyncio.run(resolver.lookup("api.example.com"))


def test_silent_dns_server_is_an_origin_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_: object, **__: object) -> bytes:
        raise TimeoutError("no answer")

    monkeypatch.setattr(DNSRecord, "send", silent)
    resolver = Resolver(("127.0.0.1", 5353), network_of("eu-west-2"))
    with pytest.raises(OriginError, match="doesn't answer"):
        asyncio.run(resolver.lookup("api.example.com"))
