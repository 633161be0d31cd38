"""Simulate the outage of a Region: POST /_local/outage?region=eu-west-2&on=1, and on=0 to end it.

Gap: MiniStack can't fail a Region, so failover can't be tested.
Seen in: ministack 1.5.33.
Delete when: MiniStack can answer 503 for one Region. (A test control, not a repair.)
"""

import re
import urllib.parse
from typing import Final

from aws_emulator.ministack.control_api import (
    Application,
    ControlApi,
    Message,
    Query,
    Receive,
    Send,
    answer,
)
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

#: Global services. Their control planes are in us-east-1 (AWS Fault Isolation Boundaries, "Global
#: services"); their data planes, such as a distribution's edge locations, are not.
_GLOBAL: Final = frozenset({"iam", "cloudfront", "route53"})
_GLOBAL_REGION: Final = "us-east-1"
#: Its endpoints are regional, but clients may sign for any Region.
_EVERYWHERE: Final = frozenset({"sts"})
#: Services whose clients expect XML: a body in JSON would hide the status.
_XML: Final = frozenset(
    {"cloudformation", "cloudfront", "email", "iam", "monitoring", "route53", "s3", "sns", "sts"}
)
#: access key / date / Region / service / aws4_request (Signature Version 4, credential scope)
_SCOPE: Final = re.compile(r"[^/=\s]+/\d{8}/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request")
_POOL_PATH: Final = re.compile(r"/([a-z]{2}(?:-[a-z]+)+-\d)_[A-Za-z0-9]+/")
_API_PATH: Final = re.compile(r"/(?:_aws/execute-api|restapis)/([^/]+)/")


def install(_settings: Settings, control: ControlApi, application: Application) -> Application:
    """Answer requests to a failed Region in front of the application."""
    gateway = Symbols("ministack.services.apigateway_v1", "find_api_scope")
    down: set[str] = set()

    def switch(query: Query) -> dict[str, list[str]]:
        region, on = query.get("region"), query.get("on", "1")
        if not region or on not in {"0", "1"}:
            raise ValueError("expected region=<region> and on=1 or on=0")
        if on == "1":
            down.add(region)
        else:
            down.discard(region)
        return state({})

    def state(_query: Query) -> dict[str, list[str]]:
        return {"down": sorted(down)}

    async def with_outage(scope: Message, receive: Receive, send: Send) -> None:
        if down and scope["type"] == "http" and _region(scope, gateway) in down:
            await _refuse(scope, send)
            return
        await application(scope, receive, send)

    control.add("POST", "/_local/outage", switch)
    control.add("GET", "/_local/outage", state)
    return with_outage


async def _refuse(scope: Message, send: Send) -> None:
    """Answer 503 in the service's protocol."""
    match = _SCOPE.search(_credentials(scope))
    if match and match.group(2) in _XML:
        await send({"type": "http.response.start", "status": 503, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        return
    await answer(
        send,
        503,
        {"__type": "ServiceUnavailable", "message": "simulated regional outage"},
        {"x-amzn-errortype": "ServiceUnavailable"},
    )


def _credentials(scope: Message) -> str:
    """Return the credential scope of a request's signature, and other parts of it."""
    headers: dict[bytes, str] = {
        name.lower(): value.decode("latin-1") for name, value in scope["headers"]
    }
    query = urllib.parse.parse_qs(scope["query_string"].decode("latin-1"))
    return " ".join([headers.get(b"authorization", ""), *query.get("X-Amz-Credential", [])])


def _region(scope: Message, gateway: Symbols) -> str | None:
    """Return the Region of a request, or None if it is for no particular Region."""
    if match := _SCOPE.search(_credentials(scope)):
        region, service = match.groups()
        if service in _EVERYWHERE:
            return None
        return _GLOBAL_REGION if service in _GLOBAL else region
    path = scope["path"]
    if match := _POOL_PATH.match(path):
        return match.group(1)
    if match := _API_PATH.match(path):
        where = gateway["find_api_scope"](match.group(1))
        return where[1] if where else None
    return None
