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

#: Global services, which a Region's outage does not affect.
_GLOBAL: Final = frozenset({"iam", "sts", "cloudfront", "route53"})
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
            await answer(
                send,
                503,
                {"__type": "ServiceUnavailable", "message": "simulated regional outage"},
                {"x-amzn-errortype": "ServiceUnavailable"},
            )
            return
        await application(scope, receive, send)

    control.add("POST", "/_local/outage", switch)
    control.add("GET", "/_local/outage", state)
    return with_outage


def _region(scope: Message, gateway: Symbols) -> str | None:
    """Return the Region of a request, or None if it is for no particular Region."""
    headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
    query = urllib.parse.parse_qs(scope["query_string"].decode("latin-1"))
    credentials = headers.get(b"authorization", "") + " ".join(query.get("X-Amz-Credential", []))
    if match := _SCOPE.search(credentials):
        region, service = match.groups()
        return None if service in _GLOBAL else region
    path = scope["path"]
    if match := _POOL_PATH.match(path):
        return match.group(1)
    if match := _API_PATH.match(path):
        where = gateway["find_api_scope"](match.group(1))
        return where[1] if where else None
    return None
