"""Simulate the outage of a Region or of one of its services.

POST /_local/outage?region=eu-west-2&on=1 begins it, and on=0 ends all outages of the Region.

Gap: MiniStack can't fail a Region, so failover can't be tested.
Seen in: ministack 1.5.33.
Delete when: MiniStack can answer 503 for one Region. (A test control, not a repair.)

With `service`, such as s3, only that service fails. Kinds (`kind`):

unavailable  503; the default.
hanging      no answer for `seconds` (60 by default), then 503.
refused      the connection closes without an answer.
slow         the request is executed and answered after `seconds` (3 by default).

The control planes of global services, such as CloudFront, belong to us-east-1. GET returns the
present outages.
"""

import asyncio
import re
import urllib.parse
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, Final

from aws_emulator.ministack.control_api import (
    Application,
    ControlApi,
    Message,
    Query,
    Receive,
    Send,
    answer,
    read_body,
    replay_body,
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


#: Kind -> seconds without `seconds` in the request.
_KINDS: Final = {"unavailable": 0.0, "hanging": 60.0, "refused": 0.0, "slow": 3.0}


@dataclass(frozen=True)
class Outage:
    """What fails, and how. Without `service`, all services of the Region fail."""

    region: str
    service: str | None = None
    kind: str = "unavailable"
    seconds: float = 0.0

    @classmethod
    def of(cls, query: Query) -> "Outage":
        """Parse the query of a request that begins or ends an outage.

        Raises:
            ValueError: The query is invalid.
        """
        kind, region = query.get("kind", "unavailable"), query.get("region", "")
        if not region or query.get("on", "1") not in {"0", "1"} or kind not in _KINDS:
            raise ValueError(
                f"expected region=<region>, on=1 or on=0, service=, kind={'|'.join(_KINDS)}, and "
                "seconds="
            )
        seconds = float(query.get("seconds", _KINDS[kind]))
        if seconds < 0:
            raise ValueError("expected seconds=0 or more")
        return cls(region, query.get("service"), kind, seconds)


def install(_settings: Settings, control: ControlApi, application: Application) -> Application:
    """Fail requests to a failed Region in front of the application."""
    gateway = Symbols("ministack.services.apigateway_v1", "find_api_scope")
    #: By Region and service; None is all services.
    outages: dict[tuple[str, str | None], Outage] = {}

    def switch(query: Query) -> dict[str, list[Any]]:
        outage = Outage.of(query)
        if query.get("on", "1") == "1":
            outages[outage.region, outage.service] = outage
        else:
            for key in [it for it in outages if it[0] == outage.region]:
                if outage.service in (None, key[1]):
                    del outages[key]
        return state({})

    def state(_query: Query) -> dict[str, list[Any]]:
        listed = sorted(outages.values(), key=lambda it: (it.region, it.service or ""))
        return {
            "down": sorted({it.region for it in listed}),
            "outages": [asdict(it) for it in listed],
        }

    async def with_outage(scope: Message, receive: Receive, send: Send) -> None:
        outage = None
        if outages and scope["type"] == "http":
            region, service = _region(scope, gateway), _service(scope)
            outage = outages.get((str(region), None)) or outages.get((str(region), service))
        if outage is None:
            await application(scope, receive, send)
            return
        # The server would parse a remaining body as the next request.
        body = await read_body(receive)
        if outage.kind == "hanging":
            with suppress(TimeoutError):
                await asyncio.wait_for(_disconnected(receive), outage.seconds)
        if outage.kind == "slow":
            await asyncio.sleep(outage.seconds)
            await application(scope, replay_body(body), send)
        elif outage.kind == "refused":
            await _close(receive, send)
        else:
            await _refuse(scope, send)

    control.add("POST", "/_local/outage", switch)
    control.add("GET", "/_local/outage", state)
    return with_outage


async def _disconnected(receive: Receive) -> None:
    """Wait until the client gives up."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _close(receive: Receive, send: Send) -> None:
    """Close the connection without an answer. ASGI has no message for it; uvicorn's cycle can."""
    cycle: Any = getattr(send, "__self__", None)
    cycle.transport.abort()
    await _disconnected(receive)


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


def _service(scope: Message) -> str | None:
    """Return the service of a request as its signature names it; without one, that of its path."""
    if match := _SCOPE.search(_credentials(scope)):
        return match.group(2)
    if _POOL_PATH.match(scope["path"]):
        return "cognito-idp"
    return "execute-api" if _API_PATH.match(scope["path"]) else None


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
