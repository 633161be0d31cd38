"""Tests of calls to services: signature, role credentials, errors."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

import httpx
import pytest

from aws_emulator.rest_api.errors import GatewayResponseError
from aws_emulator.rest_api.model import IntegrationRequest, Service, ServiceResponse
from aws_emulator.rest_api.service_client import ServiceClient
from aws_emulator.tests.rest_api import notes_api

TABLE = Service("eu-west-2", "dynamodb", "GetItem", "/", "POST", notes_api.ROLE_ARN)
QUEUE = Service("us-east-1", "sqs", None, "/123456789012/messages", "POST", notes_api.ROLE_ARN)
MACHINE = Service("us-east-1", "states", "StartSyncExecution", "/", "POST", notes_api.ROLE_ARN)


class FakeAws:
    """The emulated AWS: issues credentials, and returns a test's response."""

    def __init__(self, answer: Callable[[], httpx.Response], lasts: float = 3600) -> None:
        self.answer = answer
        self.lasts = lasts
        self.requests: list[httpx.Request] = []
        self.assumed = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path != "/_local/service-role":
            self.requests.append(request)
            return self.answer()
        assert dict(request.url.params) == {
            "service": "apigateway.amazonaws.com", "role": notes_api.ROLE_ARN,
        }  # fmt: skip
        self.assumed += 1
        key = {"AccessKeyId": f"ASIA{self.assumed}", "SecretAccessKey": "s", "SessionToken": "t"}
        return httpx.Response(
            200, json={"Credentials": {**key, "Expiration": int(time.time() + self.lasts)}}
        )


def called(
    aws: Callable[[httpx.Request], httpx.Response], *services: Service
) -> list[ServiceResponse]:
    async def run() -> list[ServiceResponse]:
        async with httpx.AsyncClient(transport=httpx.MockTransport(aws)) as client:
            calls = ServiceClient("http://127.0.0.1:1", client)
            sent = IntegrationRequest({"Content-Type": "text/x-own"}, b'{"a": "\xc3\xa9"}')
            return [await calls(service, sent) for service in services]

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("service", "target", "kind", "scope"),
    [
        (TABLE, "DynamoDB_20120810.GetItem", "application/x-amz-json-1.0", "eu-west-2/dynamodb"),
        (MACHINE, "AWSStepFunctions.StartSyncExecution", "application/x-amz-json-1.0",
         "us-east-1/states"),
        (QUEUE, None, "text/x-own", "us-east-1/sqs"),
    ],
)  # fmt: skip
def test_call_is_signed_for_service_and_region(
    service: Service, target: str | None, kind: str, scope: str
) -> None:
    aws = FakeAws(lambda: httpx.Response(400, content=b"no", headers={"x-a": "b"}))
    (reply,) = called(aws, service)
    assert (reply.status, reply.body, reply.headers["x-a"]) == (400, b"no", "b")
    (request,) = aws.requests
    assert request.content == b'{"a": "\xc3\xa9"}'
    assert request.url.path == service.path
    assert request.headers.get("x-amz-target") == target
    assert request.headers["content-type"] == kind
    assert request.headers["x-amz-security-token"] == "t"
    assert f"/{scope}/aws4_request" in request.headers["authorization"]


@pytest.mark.parametrize(("lasts", "assumed"), [(3600, 1), (30, 2)])
def test_credentials_are_cached_until_shortly_before_expiry(lasts: float, assumed: int) -> None:
    aws = FakeAws(lambda: httpx.Response(200), lasts)
    called(aws, TABLE, QUEUE)
    assert aws.assumed == assumed


def raising(error: Exception) -> Callable[[], httpx.Response]:
    def fail() -> httpx.Response:
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (httpx.ReadTimeout("slow"), "INTEGRATION_TIMEOUT"),
        (httpx.ConnectError("gone"), "INTEGRATION_FAILURE"),
        (httpx.RemoteProtocolError("cut"), "INTEGRATION_FAILURE"),
    ],
)
def test_transport_error_becomes_gateway_response(error: Exception, kind: str) -> None:
    with pytest.raises(GatewayResponseError) as caught:
        called(FakeAws(raising(error)), TABLE)
    assert caught.value.response_type == kind


def test_call_waits_as_long_as_the_integration_says() -> None:
    aws = FakeAws(lambda: httpx.Response(200))
    called(aws, replace(TABLE, timeout_s=10.0), QUEUE)
    waited = [it.extensions["timeout"]["read"] for it in aws.requests]
    assert waited == [10.0, 29.0]


def test_untrusted_role_is_configuration_error() -> None:
    with pytest.raises(GatewayResponseError) as caught:
        called(lambda _: httpx.Response(400), TABLE)
    assert caught.value.response_type == "API_CONFIGURATION_ERROR"
