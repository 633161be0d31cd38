"""The way from a cache miss to a response: origin-request function, origin, origin-response."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Protocol

from aws_emulator.cloudfront import headers as h
from aws_emulator.cloudfront.errors import EdgeError, OriginError
from aws_emulator.cloudfront.events import request_event
from aws_emulator.cloudfront.forwarding import to_origin
from aws_emulator.cloudfront.model import (
    Association,
    Behaviour,
    Distribution,
    Origin,
    Request,
    Response,
    Viewer,
)
from aws_emulator.cloudfront.origins import OriginAnswer
from aws_emulator.cloudfront.policies import NONE
from aws_emulator.cloudfront.results import (
    Changed,
    Generated,
    apply_changed,
    check_request_result,
    check_response_result,
)


class Invoker(Protocol):
    """Invokes functions: `functions.Functions`, or what stands for it in a test."""

    async def invoke(self, association: Association, event: dict[str, Any]) -> Any:
        """Give the function's result (any JSON value). Raises EdgeError."""


class Sender(Protocol):
    """Asks origins: `origins.Origins`, or what stands for it in a test."""

    async def send(self, origin: Origin, request: Request, distribution_arn: str) -> OriginAnswer:
        """Give the origin's answer. Raises OriginError."""


@dataclass(slots=True)
class Exchange:
    """One viewer request on its way: what it asks, of whom, and what became of its functions."""

    id: str
    distribution: Distribution
    behaviour: Behaviour
    request: Request
    viewer: Viewer
    outcomes: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Fetched:
    """What the origin's side gave. The body is `response.body`, or streams from `answer` where
    that is None. `generated` tells that a function made it."""

    response: Response
    answer: OriginAnswer | None = None
    generated: bool = False

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Give the body, piece by piece."""
        if self.response.body is not None or self.answer is None:
            if self.response.body:
                yield self.response.body
            return
        async with aclosing(self.answer.chunks()) as stream:
            async for chunk in stream:
                yield chunk

    async def read(self) -> bytes:
        """Give the whole body."""
        return b"".join([chunk async for chunk in self.chunks()])

    def close(self) -> None:
        """Let go of a body that nobody wants."""
        if self.answer is not None:
            self.answer.close()


class OriginStage:
    """Asks the origins of a behaviour, with its origin functions around them."""

    def __init__(self, functions: Invoker, origins: Sender) -> None:
        self._functions = functions
        self._origins = origins

    async def fetch(self, exchange: Exchange, conditions: h.HeaderMap) -> Fetched:
        """Fetch from the behaviour's origin, or from its group's in turn.

        `conditions` replace the viewer's own: a kept response is asked after. Raises EdgeError.
        """
        distribution, behaviour = exchange.distribution, exchange.behaviour
        group = distribution.groups.get(behaviour.target)
        if group is None:
            origin = distribution.origins[behaviour.target]
            return await self._fetch_one(exchange, origin, conditions)
        primary, *others = (distribution.origins[member] for member in group.members)
        # Optimize high availability with origin failover: "CloudFront fails over to the secondary
        # origin only when the HTTP method of the viewer request is GET, HEAD, or OPTIONS."
        if exchange.request.method not in {"GET", "HEAD", "OPTIONS"} or not others:
            return await self._fetch_one(exchange, primary, conditions)
        try:
            fetched = await self._fetch_one(exchange, primary, conditions)
        except OriginError:
            # "CloudFront fails to connect to the primary origin", or it "takes too long".
            return await self._fetch_one(exchange, others[0], conditions)
        # A function's own answer is no answer of the primary origin.
        if fetched.generated or fetched.response.status not in group.statuses:
            return fetched
        fetched.close()
        return await self._fetch_one(exchange, others[0], conditions)

    async def _fetch_one(
        self, exchange: Exchange, origin: Origin, conditions: h.HeaderMap
    ) -> Fetched:
        request = to_origin(exchange.request, exchange.behaviour, origin, exchange.viewer)
        # The kept response is asked after, whatever the viewer has already.
        request.headers |= conditions
        called = await self._origin_request(exchange, request, origin)
        if isinstance(called, Generated):
            return Fetched(called.response, generated=True)
        if called is not None:
            request = apply_changed(request, called)
            origin = called.origin or origin
        h.put(request.headers, "X-Amz-Cf-Id", exchange.id)
        answer = await self._origins.send(origin, request, exchange.distribution.arn)
        response = Response(answer.status, answer.headers, answer.body, answer.reason)
        _strip(response, exchange.behaviour)
        return await self._origin_response(exchange, request, origin, response, answer)

    async def _origin_request(
        self, exchange: Exchange, request: Request, origin: Origin
    ) -> Generated | Changed | None:
        association = exchange.behaviour.associations.get("origin-request")
        if association is None:
            return None
        event = request_event(
            exchange.distribution, association, exchange.id, request, exchange.viewer, origin
        )
        checked: Generated | Changed = await call(
            exchange,
            association.event_type,
            self._functions.invoke(association, event),
            lambda result: check_request_result(
                result, event["Records"][0]["cf"]["request"], association, origin
            ),
        )
        return checked

    async def _origin_response(
        self,
        exchange: Exchange,
        request: Request,
        origin: Origin,
        response: Response,
        answer: OriginAnswer,
    ) -> Fetched:
        # Restrictions on all edge functions: "Lambda@Edge functions for origin response events are
        # invoked for all origin responses, including … HTTP status code 400 or higher."
        association = exchange.behaviour.associations.get("origin-response")
        if association is None:
            return Fetched(response, answer)
        event = request_event(
            exchange.distribution,
            association,
            exchange.id,
            request,
            exchange.viewer,
            origin,
            response,
        )
        try:
            changed, replaces = await call(
                exchange,
                association.event_type,
                self._functions.invoke(association, event),
                lambda result: check_response_result(
                    result, event["Records"][0]["cf"]["response"], association
                ),
            )
        except EdgeError:
            answer.close()
            raise
        changed.headers |= h.hidden(response.headers)
        if replaces:
            # "You can generate a static content body by setting it to the desired value".
            answer.close()
            h.put(changed.headers, "Content-Length", str(len(changed.body or b"")))
            return Fetched(changed)
        changed.body = response.body
        return Fetched(changed, answer)


def _strip(response: Response, behaviour: Behaviour) -> None:
    for name in h.HOP_BY_HOP:
        response.headers.pop(name, None)
    # "Set-Cookie - If you configure CloudFront to forward cookies, it will forward the Set-Cookie
    # header field to clients."
    policy = behaviour.origin_request
    if behaviour.cache.cookies == NONE and (policy is None or policy.cookies == NONE):
        response.headers.pop("set-cookie", None)


async def call(exchange: Exchange, event_type: str, invocation: Any, check: Any) -> Any:
    """Await a function's invocation, check its result, and note how it ended."""
    try:
        checked = check(await invocation)
    except EdgeError as error:
        exchange.outcomes[event_type] = f"{error.result}:{error.code}"
        raise
    exchange.outcomes[event_type] = (
        f"generated:{checked.response.status}" if isinstance(checked, Generated) else "passed"
    )
    return checked
