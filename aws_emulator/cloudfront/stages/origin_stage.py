"""The origin stage of a cache miss: origin-request function, origin, origin-response function."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Protocol

from aws_emulator.cloudfront import headers as h
from aws_emulator.cloudfront.edge_functions.event import request_event
from aws_emulator.cloudfront.edge_functions.result import (
    GeneratedResponse,
    ModifiedRequest,
    apply_modified_request,
    check_request_result,
    check_response_result,
)
from aws_emulator.cloudfront.errors import EdgeError, OriginError
from aws_emulator.cloudfront.model import (
    FAILOVER_METHODS,
    CacheBehavior,
    Distribution,
    FunctionAssociation,
    Origin,
    Request,
    Response,
    Viewer,
)
from aws_emulator.cloudfront.origins.client import OriginResponse
from aws_emulator.cloudfront.policies import NONE
from aws_emulator.cloudfront.stages.origin_request import build_origin_request


class Invoker(Protocol):
    """Invoke functions. Implemented by `edge_functions.invoker.FunctionInvoker`."""

    async def invoke(self, association: FunctionAssociation, event: dict[str, Any]) -> Any:
        """Return the function's result, any JSON value.

        Raises:
            EdgeError: The function failed.
        """


class Sender(Protocol):
    """Send origin requests. Implemented by `origins.client.OriginClient`."""

    async def send(self, origin: Origin, request: Request, distribution_arn: str) -> OriginResponse:
        """Return the origin's response.

        Raises:
            OriginError: The origin is unreachable (502) or doesn't respond in time (504).
        """


@dataclass(slots=True)
class RequestContext:
    """A viewer request with its distribution, cache behavior and viewer.

    `outcomes` and `durations` (in milliseconds) are those of the functions, by event type.
    `refusal` is the reason of an S3 origin that denied the request.
    """

    id: str
    distribution: Distribution
    behavior: CacheBehavior
    request: Request
    viewer: Viewer
    outcomes: dict[str, str] = field(default_factory=dict)
    durations: dict[str, float] = field(default_factory=dict)
    refusal: str | None = None


@dataclass(slots=True)
class OriginResult:
    """A response of the origin or of an origin function.

    Without `response.body`, `origin_response` streams the body. `generated` is True if an
    origin-request function generated the response.
    """

    response: Response
    origin_response: OriginResponse | None = None
    generated: bool = False

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Yield the body in chunks."""
        if self.response.body is not None or self.origin_response is None:
            if self.response.body:
                yield self.response.body
            return
        async with aclosing(self.origin_response.chunks()) as stream:
            async for chunk in stream:
                yield chunk

    async def read(self) -> bytes:
        """Return the complete body."""
        return b"".join([chunk async for chunk in self.chunks()])

    def close(self) -> None:
        """Release the origin connection without reading the rest of the body."""
        if self.origin_response is not None:
            self.origin_response.close()


class OriginStage:
    """Send requests to a cache behavior's origins and invoke its origin functions."""

    def __init__(self, functions: Invoker, origins: Sender) -> None:
        self._functions = functions
        self._origins = origins

    async def fetch(self, context: RequestContext, conditions: h.HeaderMap) -> OriginResult:
        """Fetch from the cache behavior's origin, with failover if it targets an origin group.

        `conditions` are the headers that revalidate a cached response; they replace the viewer's.

        Raises:
            EdgeError: A function or every origin failed.
        """
        distribution, behavior = context.distribution, context.behavior
        group = distribution.origin_groups.get(behavior.target_origin_id)
        if group is None:
            origin = distribution.origins[behavior.target_origin_id]
            return await self._fetch_one(context, origin, conditions)
        primary, *others = (distribution.origins[member] for member in group.members)
        if context.request.method not in FAILOVER_METHODS or not others:
            return await self._fetch_one(context, primary, conditions)
        try:
            result = await self._fetch_one(context, primary, conditions)
        except OriginError:
            # "CloudFront fails to connect to the primary origin", or it "takes too long".
            return await self._fetch_one(context, others[0], conditions)
        # A response that a function generated didn't come from the primary origin: no failover.
        if result.generated or result.response.status not in group.statuses:
            return result
        result.close()
        return await self._fetch_one(context, others[0], conditions)

    async def _fetch_one(
        self, context: RequestContext, origin: Origin, conditions: h.HeaderMap
    ) -> OriginResult:
        request = build_origin_request(context.request, context.behavior, origin, context.viewer)
        # The cache revalidates its own copy, whichever version the viewer has.
        request.headers |= conditions
        called = await self._origin_request(context, request, origin)
        if isinstance(called, GeneratedResponse):
            return OriginResult(called.response, generated=True)
        if called is not None:
            request = apply_modified_request(request, called)
            origin = called.origin or origin
        h.put(request.headers, "X-Amz-Cf-Id", context.id)
        origin_response = await self._origins.send(origin, request, context.distribution.arn)
        context.refusal = origin_response.refusal
        response = Response(
            origin_response.status,
            origin_response.headers,
            origin_response.body,
            origin_response.reason,
        )
        _strip(response, context.behavior)
        return await self._origin_response(context, request, origin, response, origin_response)

    async def _origin_request(
        self, context: RequestContext, request: Request, origin: Origin
    ) -> GeneratedResponse | ModifiedRequest | None:
        association = context.behavior.associations.get("origin-request")
        if association is None:
            return None
        event = request_event(
            context.distribution, association, context.id, request, context.viewer, origin
        )
        checked: GeneratedResponse | ModifiedRequest = await call(
            context,
            association.event_type,
            self._functions.invoke(association, event),
            lambda result: check_request_result(
                result, event["Records"][0]["cf"]["request"], association, origin
            ),
        )
        return checked

    async def _origin_response(
        self,
        context: RequestContext,
        request: Request,
        origin: Origin,
        response: Response,
        origin_response: OriginResponse,
    ) -> OriginResult:
        # Restrictions on all edge functions: "Lambda@Edge functions for origin response events are
        # invoked for all origin responses, including … HTTP status code 400 or higher."
        association = context.behavior.associations.get("origin-response")
        if association is None:
            return OriginResult(response, origin_response)
        event = request_event(
            context.distribution,
            association,
            context.id,
            request,
            context.viewer,
            origin,
            response,
        )
        try:
            changed, replaces = await call(
                context,
                association.event_type,
                self._functions.invoke(association, event),
                lambda result: check_response_result(
                    result, event["Records"][0]["cf"]["response"], association
                ),
            )
        except EdgeError:
            origin_response.close()
            raise
        changed.headers |= h.hidden(response.headers)
        if replaces:
            # "You can generate a static content body by setting it to the desired value".
            origin_response.close()
            h.put(changed.headers, "Content-Length", str(len(changed.body or b"")))
            return OriginResult(changed)
        changed.body = response.body
        return OriginResult(changed, origin_response)


def _strip(response: Response, behavior: CacheBehavior) -> None:
    for name in h.HOP_BY_HOP:
        response.headers.pop(name, None)
    # "Set-Cookie - If you configure CloudFront to forward cookies, it will forward the Set-Cookie
    # header field to clients."
    policy = behavior.origin_request_policy
    if behavior.cache_policy.cookies == NONE and (policy is None or policy.cookies == NONE):
        response.headers.pop("set-cookie", None)


async def call(context: RequestContext, event_type: str, invocation: Any, check: Any) -> Any:
    """Await an invocation, validate its result with `check`, and record outcome and duration.

    Raises:
        EdgeError: The function failed, or the check rejects its result.
    """
    started = time.monotonic()
    try:
        checked = check(await invocation)
    except EdgeError as error:
        context.outcomes[event_type] = f"{error.result}:{error.code}"
        raise
    finally:
        context.durations[event_type] = round((time.monotonic() - started) * 1000, 1)
    context.outcomes[event_type] = (
        f"generated:{checked.response.status}"
        if isinstance(checked, GeneratedResponse)
        else "passed"
    )
    return checked
