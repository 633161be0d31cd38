"""What CloudFront does with a viewer's request, from the first rule to the last header."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace

from aws_emulator.cloudfront import headers as h
from aws_emulator.cloudfront import responses
from aws_emulator.cloudfront.behaviours import select
from aws_emulator.cloudfront.cache import Store
from aws_emulator.cloudfront.cachestage import CacheStage, Reply, with_length
from aws_emulator.cloudfront.errors import EdgeError, RequestRefusedError
from aws_emulator.cloudfront.events import request_event
from aws_emulator.cloudfront.model import Distribution, Request, Response, Viewer
from aws_emulator.cloudfront.originstage import (
    Exchange,
    Fetched,
    Invoker,
    OriginStage,
    Sender,
    call,
)
from aws_emulator.cloudfront.pages import error_response
from aws_emulator.cloudfront.results import (
    Generated,
    apply_changed,
    check_request_result,
    check_response_result,
)

# Quotas, "General quotas on distributions": "Maximum length of a URL: 8,192 bytes".
URL_LIMIT = 8_192


@dataclass(slots=True)
class Served:
    """A response for the viewer: its body in `response.body`, or streamed where that is None."""

    response: Response
    behaviour: str = ""
    x_cache: str = "Error"
    outcomes: dict[str, str] = field(default_factory=dict)
    stream: AsyncGenerator[bytes] | None = None
    error: str | None = None
    source: Fetched | None = None

    def close(self) -> None:
        """Let go of the origin, whether or not its body was wanted to the end."""
        if self.source is not None:
            self.source.close()


class Edge:
    """Serves one distribution. `distribution` is replaced when it is deployed anew."""

    def __init__(self, functions: Invoker, origins: Sender) -> None:
        self.distribution: Distribution | None = None
        self.store = Store()
        self._functions = functions
        self._cached = CacheStage(self.store, OriginStage(functions, origins))

    def deploy(self, distribution: Distribution) -> None:
        """Serve this distribution from now on, with an empty cache."""
        self.distribution = distribution
        self.store.clear()

    async def serve(self, request: Request, viewer: Viewer, request_id: str) -> Served:
        """Answer a request: never raises for what a viewer, a function or an origin does."""
        exchange: Exchange | None = None
        try:
            exchange = self._admit(request, viewer, request_id)
            reply = await self._answer(exchange)
            try:
                await self._last_steps(exchange, reply)
            except EdgeError:
                if reply.source is not None:
                    reply.source.close()
                raise
        except EdgeError as error:
            response = error_response(error, request_id)
            responses.finish(response, request_id, error.result, None)
            served = Served(response, x_cache=error.result, error=error.code)
            if exchange is not None:
                served.behaviour = exchange.behaviour.pattern
                served.outcomes = exchange.outcomes
            return _without_body(served, request)
        return _without_body(
            Served(
                reply.response,
                exchange.behaviour.pattern,
                reply.x_cache,
                exchange.outcomes,
                reply.stream,
                source=reply.source,
            ),
            request,
        )

    def _admit(self, request: Request, viewer: Viewer, request_id: str) -> Exchange:
        distribution = self.distribution
        if distribution is None:
            raise RequestRefusedError("A deployment is under way.", status=503)
        if not distribution.enabled:
            raise RequestRefusedError("The distribution is disabled.", status=403)
        host = h.first(request.headers, "host")
        length = len("https://") + len(host) + len(request.uri) + len(request.query) + 1
        if length > URL_LIMIT:
            # The page has 413 for a long request and for a long URL; RFC 9110 §15.5.15 has 414 for
            # the URL, which tells the two apart.
            raise RequestRefusedError(
                f"The URL is longer than {URL_LIMIT:,} bytes.", status=414, code="UriTooLong"
            )
        behaviour = select(distribution.behaviours, request.uri)
        # Viewer protocol policy: http on the loopback stands for https, so every policy lets it in.
        if request.method not in behaviour.allowed_methods:
            # Allowed HTTP methods: any other is answered 403.
            raise RequestRefusedError(
                "This distribution is not configured to allow the HTTP request method that was "
                "used for this request.",
                status=403,
                code="MethodNotAllowed",
            )
        if request.method == "GET" and request.body:
            # "If a viewer GET request includes a body, CloudFront returns an HTTP status code 403
            # (Forbidden) to the viewer."
            raise RequestRefusedError("A GET request has a body.", status=403, code="GetWithBody")
        return Exchange(request_id, distribution, behaviour, request, viewer)

    async def _answer(self, exchange: Exchange) -> Reply:
        generated = await self._viewer_request(exchange)
        if generated is not None:
            # Viewer request events: "CloudFront returns the response to the viewer and doesn't
            # cache it", and the viewer-response function is not called.
            return Reply(generated, "LambdaGeneratedResponse", calls_viewer_response=False)
        root = exchange.distribution.default_root
        if exchange.request.uri == "/" and root:
            exchange.request = replace(exchange.request, uri=f"/{root}")
        return await self._cached.answer(exchange)

    async def _viewer_request(self, exchange: Exchange) -> Response | None:
        association = exchange.behaviour.associations.get("viewer-request")
        if association is None:
            return None
        event = request_event(
            exchange.distribution, association, exchange.id, exchange.request, exchange.viewer
        )
        checked = await call(
            exchange,
            association.event_type,
            self._functions.invoke(association, event),
            lambda result: check_request_result(
                result, event["Records"][0]["cf"]["request"], association
            ),
        )
        if isinstance(checked, Generated):
            return with_length(checked.response)
        # "Changing the URI … doesn't change the cache behavior for the request or the origin."
        exchange.request = apply_changed(exchange.request, checked)
        return None

    async def _last_steps(self, exchange: Exchange, reply: Reply) -> None:
        response = reply.response
        responses.apply_policy(response, exchange.behaviour.response_headers, exchange.request)
        association = exchange.behaviour.associations.get("viewer-response")
        # "CloudFront doesn't invoke edge functions for viewer response events when the origin
        # returns HTTP status code 400 or higher."
        if association is not None and reply.calls_viewer_response and response.status < 400:
            event = request_event(
                exchange.distribution,
                association,
                exchange.id,
                exchange.request,
                exchange.viewer,
                response=response,
            )
            changed, _ = await call(
                exchange,
                association.event_type,
                self._functions.invoke(association, event),
                lambda result: check_response_result(
                    result, event["Records"][0]["cf"]["response"], association
                ),
            )
            response.headers = {**changed.headers, **h.hidden(response.headers)}
        responses.finish(response, exchange.id, reply.x_cache, reply.age)


def _without_body(served: Served, request: Request) -> Served:
    """RFC 9110 §6.4.1: responses to HEAD, and 204 and 304, have no content."""
    bodiless = served.response.status in {204, 304}
    if bodiless:
        served.response.headers.pop("content-length", None)
    if bodiless or request.method == "HEAD":
        served.response.body, served.stream = b"", None
        served.close()
    return served
