"""What is sent to a service: the template's bytes, signed in the role of the integration."""

import asyncio
import time
from collections.abc import Callable

import httpx
import pytest

from aws_emulator.rest_api.calls import Calls
from aws_emulator.rest_api.errors import RefusedError
from aws_emulator.rest_api.mapping import Call, Reply
from aws_emulator.rest_api.model import Service
from tests.unit.rest_api import school

TABLE = Service("eu-west-2", "dynamodb", "GetItem", "/", "POST", school.ROLE_ARN)
QUEUE = Service("us-east-1", "sqs", None, "/123456789012/letters", "POST", school.ROLE_ARN)
MACHINE = Service("us-east-1", "states", "StartSyncExecution", "/", "POST", school.ROLE_ARN)


class Aws:
    """The emulated AWS: gives credentials, and answers as a test wants it."""

    def __init__(self, answer: Callable[[], httpx.Response], lasts: float = 3600) -> None:
        self.answer = answer
        self.lasts = lasts
        self.asked: list[httpx.Request] = []
        self.assumed = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path != "/_local/service-role":
            self.asked.append(request)
            return self.answer()
        assert dict(request.url.params) == {
            "service": "apigateway.amazonaws.com", "role": school.ROLE_ARN,
        }  # fmt: skip
        self.assumed += 1
        key = {"AccessKeyId": f"ASIA{self.assumed}", "SecretAccessKey": "s", "SessionToken": "t"}
        return httpx.Response(
            200, json={"Credentials": {**key, "Expiration": int(time.time() + self.lasts)}}
        )


def called(aws: Callable[[httpx.Request], httpx.Response], *services: Service) -> list[Reply]:
    async def run() -> list[Reply]:
        async with httpx.AsyncClient(transport=httpx.MockTransport(aws)) as client:
            calls = Calls("http://127.0.0.1:1", client)
            sent = Call({"Content-Type": "text/x-own"}, b'{"a": "\xc3\xa9"}')
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
def test_a_call_is_signed_for_its_service_and_region(
    service: Service, target: str | None, kind: str, scope: str
) -> None:
    aws = Aws(lambda: httpx.Response(400, content=b"no", headers={"x-a": "b"}))
    (reply,) = called(aws, service)
    assert (reply.status, reply.body, reply.headers["x-a"]) == (400, b"no", "b")
    (request,) = aws.asked
    assert request.content == b'{"a": "\xc3\xa9"}'
    assert request.url.path == service.path
    assert request.headers.get("x-amz-target") == target
    assert request.headers["content-type"] == kind
    assert request.headers["x-amz-security-token"] == "t"
    assert f"/{scope}/aws4_request" in request.headers["authorization"]


@pytest.mark.parametrize(("lasts", "assumed"), [(3600, 1), (30, 2)])
def test_a_role_is_kept_until_it_is_about_to_end(lasts: float, assumed: int) -> None:
    aws = Aws(lambda: httpx.Response(200), lasts)
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
def test_what_fails_on_the_way_is_the_gateways_to_say(error: Exception, kind: str) -> None:
    with pytest.raises(RefusedError) as caught:
        called(Aws(raising(error)), TABLE)
    assert caught.value.kind == kind


def test_a_role_that_trusts_nobody_is_an_error_of_the_configuration() -> None:
    with pytest.raises(RefusedError) as caught:
        called(lambda _: httpx.Response(400), TABLE)
    assert caught.value.kind == "API_CONFIGURATION_ERROR"
