"""The edge location: run a viewer request through every stage and return the response.

`app.App` calls `EdgeLocation.serve` for each request; `distribution.watcher` calls `deploy`.
"""

import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace
from typing import Final

from aws_emulator.cloudfront import headers as h
from aws_emulator.cloudfront.edge_functions.event import request_event
from aws_emulator.cloudfront.edge_functions.result import (
    GeneratedResponse,
    apply_modified_request,
    check_request_result,
    check_response_result,
)
from aws_emulator.cloudfront.error_page import error_response
from aws_emulator.cloudfront.errors import EdgeError, RequestRejectedError
from aws_emulator.cloudfront.model import Distribution, Request, Response, Viewer
from aws_emulator.cloudfront.stages import viewer_response
from aws_emulator.cloudfront.stages.cache_stage import CacheResult, CacheStage, with_length
from aws_emulator.cloudfront.stages.cache_store import CacheStore
from aws_emulator.cloudfront.stages.origin_stage import (
    Invoker,
    OriginResult,
    OriginStage,
    RequestContext,
    Sender,
    call,
)
from aws_emulator.cloudfront.stages.path_pattern import select_behavior
from aws_emulator.cloudfront.stages.signed_request import check_signature, without_signature

# Quotas, "General quotas on distributions": "Maximum length of a URL: 8,192 bytes".
MAX_URL_BYTES: Final = 8_192


@dataclass(slots=True)
class ServedResponse:
    """A response for the viewer. Without `response.body`, `stream` yields the body."""

    response: Response
    behavior: str = ""
    x_cache: str = "Error"
    outcomes: dict[str, str] = field(default_factory=dict)
    durations: dict[str, float] = field(default_factory=dict)
    stream: AsyncGenerator[bytes] | None = None
    error: str | None = None
    source: OriginResult | None = None
    refusal: str | None = None

    def close(self) -> None:
        """Release the origin connection, even if the body wasn't read to the end."""
        if self.source is not None:
            self.source.close()


class EdgeLocation:
    """Serve one distribution. Before the first deployment, `distribution` equals None."""

    def __init__(self, functions: Invoker, origins: Sender) -> None:
        self.distribution: Distribution | None = None
        self.store = CacheStore()
        self._functions = functions
        self._cache_stage = CacheStage(self.store, OriginStage(functions, origins))

    def deploy(self, distribution: Distribution) -> None:
        """Start to serve this distribution, with an empty cache."""
        self.distribution = distribution
        self.store.clear(time.monotonic())

    async def serve(self, request: Request, viewer: Viewer, request_id: str) -> ServedResponse:
        """Serve a request.

        Turns every EdgeError into an error page, so that a viewer, a function or an origin can't
        cause an exception.
        """  # noqa: DOC501 - it handles the error
        context: RequestContext | None = None
        try:
            context = self._admit(request, viewer, request_id)
            reply = await self._respond(context)
            try:
                await self._viewer_response(context, reply)
            except EdgeError:
                if reply.source is not None:
                    reply.source.close()
                raise
        except EdgeError as error:
            response = error_response(error, request_id)
            viewer_response.add_cloudfront_headers(response, request_id, error.result, None)
            served = ServedResponse(response, x_cache=error.result, error=error.code)
            if context is not None:
                served.behavior = context.behavior.path_pattern
                served.outcomes, served.durations = context.outcomes, context.durations
            return _without_body(served, request)
        return _without_body(
            ServedResponse(
                reply.response,
                context.behavior.path_pattern,
                reply.x_cache,
                context.outcomes,
                context.durations,
                reply.stream,
                source=reply.source,
                refusal=context.refusal,
            ),
            request,
        )

    def _admit(self, request: Request, viewer: Viewer, request_id: str) -> RequestContext:
        distribution = self.distribution
        if distribution is None:
            raise RequestRejectedError("A deployment is in progress.", status=503)
        if not distribution.enabled:
            raise RequestRejectedError("The distribution is disabled.", status=403)
        if distribution.web_acl is not None:
            distribution.web_acl.inspect(request, viewer)
        host = h.first(request.headers, "host")
        length = len("https://") + len(host) + len(request.uri) + len(request.query) + 1
        if length > MAX_URL_BYTES:
            # The quotas page states 413 for a long request and for a long URL. The emulator
            # returns 414 (RFC 9110 §15.5.15) for the URL, to distinguish the two.
            raise RequestRejectedError(
                f"The URL exceeds {MAX_URL_BYTES:,} bytes.", status=414, code="UriTooLong"
            )
        behavior = select_behavior(distribution.behaviors, request.uri)
        # HTTP on the loopback represents HTTPS, so every viewer protocol policy allows it.
        if request.method not in behavior.allowed_methods:
            # "Allowed HTTP methods": CloudFront returns 403 for any other method.
            raise RequestRejectedError(
                "This distribution is not configured to allow the HTTP request method that was "
                "used for this request.",
                status=403,
                code="MethodNotAllowed",
            )
        if request.method == "GET" and request.body:
            # "If a viewer GET request includes a body, CloudFront returns an HTTP status code 403
            # (Forbidden) to the viewer."
            raise RequestRejectedError("A GET request has a body.", status=403, code="GetWithBody")
        if behavior.key_groups:
            # Before the cache and the functions, as before all other work on the request.
            check_signature(behavior.trusted_keys, request, viewer, time.time())
            request = replace(request, query=without_signature(request.query))
        return RequestContext(request_id, distribution, behavior, request, viewer)

    async def _respond(self, context: RequestContext) -> CacheResult:
        generated = await self._viewer_request(context)
        if generated is not None:
            # Viewer request events: "CloudFront returns the response to the viewer and doesn't
            # cache it", and doesn't invoke the viewer-response function.
            return CacheResult(generated, "LambdaGeneratedResponse", calls_viewer_response=False)
        root = context.distribution.default_root_object
        if context.request.uri == "/" and root:
            context.request = replace(context.request, uri=f"/{root}")
        return await self._cache_stage.respond(context)

    async def _viewer_request(self, context: RequestContext) -> Response | None:
        association = context.behavior.associations.get("viewer-request")
        if association is None:
            return None
        event = request_event(
            context.distribution, association, context.id, context.request, context.viewer
        )
        checked = await call(
            context,
            association.event_type,
            self._functions.invoke(association, event),
            lambda result: check_request_result(
                result, event["Records"][0]["cf"]["request"], association
            ),
        )
        if isinstance(checked, GeneratedResponse):
            return with_length(checked.response)
        # "Changing the URI … doesn't change the cache behavior for the request or the origin."
        context.request = apply_modified_request(context.request, checked)
        return None

    async def _viewer_response(self, context: RequestContext, reply: CacheResult) -> None:
        response = reply.response
        viewer_response.apply_policy(
            response, context.behavior.response_headers_policy, context.request
        )
        association = context.behavior.associations.get("viewer-response")
        # "CloudFront doesn't invoke edge functions for viewer response events when the origin
        # returns HTTP status code 400 or higher."
        if association is not None and reply.calls_viewer_response and response.status < 400:
            event = request_event(
                context.distribution,
                association,
                context.id,
                context.request,
                context.viewer,
                response=response,
            )
            changed, _ = await call(
                context,
                association.event_type,
                self._functions.invoke(association, event),
                lambda result: check_response_result(
                    result, event["Records"][0]["cf"]["response"], association
                ),
            )
            response.headers = {**changed.headers, **h.hidden(response.headers)}
        viewer_response.add_cloudfront_headers(response, context.id, reply.x_cache, reply.age)


def _without_body(served: ServedResponse, request: Request) -> ServedResponse:
    # RFC 9110 §6.4.1: responses to HEAD, and 204 and 304 responses, have no content.
    bodiless = served.response.status in {204, 304}
    if bodiless:
        served.response.headers.pop("content-length", None)
    if bodiless or request.method == "HEAD":
        served.response.body, served.stream = b"", None
        served.close()
    return served
