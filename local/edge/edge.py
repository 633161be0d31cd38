"""What CloudFront does with a viewer's request, from the first rule to the last header."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from http import HTTPStatus

from local.edge import headers as h
from local.edge import responses
from local.edge.behaviours import select
from local.edge.cache import (
    ERROR_MIN_TTL,
    MAX_OBJECT,
    CacheKey,
    Entry,
    Store,
    cache_key,
    error_time_to_live,
    is_cacheable,
    time_to_live,
)
from local.edge.errors import EdgeError, OriginError, RequestRefusedError
from local.edge.events import request_event
from local.edge.model import Behaviour, Distribution, Request, Response, Viewer
from local.edge.originstage import Exchange, Fetched, Invoker, OriginStage, Sender, call
from local.edge.pages import error_response
from local.edge.results import Generated, apply_changed, check_request_result, check_response_result
from local.edge.viewer import cloudfront_headers

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


@dataclass(slots=True)
class _Reply:
    """A response on its way through the last steps."""

    response: Response
    x_cache: str
    age: int | None = None
    stream: AsyncGenerator[bytes] | None = None
    source: Fetched | None = None
    #: Whether the viewer-response function is called for it.
    calls_viewer_response: bool = True


class Edge:
    """Serves one distribution. `distribution` is replaced when it is deployed anew."""

    def __init__(self, functions: Invoker, origins: Sender) -> None:
        self.distribution: Distribution | None = None
        self.store = Store()
        self._functions = functions
        self._stage = OriginStage(functions, origins)

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

    async def _answer(self, exchange: Exchange) -> _Reply:
        generated = await self._viewer_request(exchange)
        if generated is not None:
            # Viewer request events: "CloudFront returns the response to the viewer and doesn't
            # cache it", and the viewer-response function is not called.
            return _Reply(generated, "LambdaGeneratedResponse", calls_viewer_response=False)
        root = exchange.distribution.default_root
        if exchange.request.uri == "/" and root:
            exchange.request = replace(exchange.request, uri=f"/{root}")
        own = cloudfront_headers(exchange.request, exchange.viewer)
        key = cache_key(exchange.behaviour, exchange.request, own)
        kept = self.store.get(key) if self._may_use_cache(exchange) else None
        now = time.monotonic()
        if kept is not None and now < kept.expires:
            return _hit(exchange, kept, "Hit", now)
        return await self._miss(exchange, key, kept, now)

    def _may_use_cache(self, exchange: Exchange) -> bool:
        return exchange.request.method in exchange.behaviour.cached_methods

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
            return _with_length(checked.response)
        # "Changing the URI … doesn't change the cache behavior for the request or the origin."
        exchange.request = apply_changed(exchange.request, checked)
        return None

    async def _miss(
        self, exchange: Exchange, key: CacheKey, stale: Entry | None, now: float
    ) -> _Reply:
        try:
            fetched = await self._stage.fetch(exchange, _conditions(stale))
        except OriginError as error:
            if stale is not None:
                return self._serve_stale(exchange, stale, now)
            reply = await self._custom_error(exchange, error.status, None)
            if reply is None:
                raise
            return reply
        status = fetched.response.status
        if stale is not None and status >= 500 and not fetched.generated:
            fetched.close()
            return self._serve_stale(exchange, stale, now)
        if stale is not None and status == HTTPStatus.NOT_MODIFIED and not fetched.generated:
            fetched.close()
            ttl = time_to_live(exchange.behaviour.cache, fetched.response.headers, time.time())
            stale.stored, stale.expires = now, now + ttl
            return _hit(exchange, stale, "RefreshHit", now)
        if status >= 400 and not fetched.generated:
            return await self._origin_error(exchange, key, fetched, now)
        return await self._keep(exchange, key, fetched, now)

    def _serve_stale(self, exchange: Exchange, stale: Entry, now: float) -> _Reply:
        # "If your origin returns a 5xx status code, CloudFront serves the object even though it has
        # expired. For the duration of the error caching minimum TTL, CloudFront continues to
        # respond to viewer requests by serving the object from the edge cache."
        stale.expires = now + ERROR_MIN_TTL
        return _hit(exchange, stale, "Hit", now)

    async def _keep(
        self, exchange: Exchange, key: CacheKey, fetched: Fetched, now: float
    ) -> _Reply:
        response = fetched.response
        x_cache = "LambdaGeneratedResponse" if fetched.generated else "Miss"
        # "When a function is triggered by an origin request event … CloudFront returns the response
        # to the viewer, and also caches it."
        cacheable = is_cacheable(exchange.behaviour, exchange.request, response.status)
        ttl = time_to_live(exchange.behaviour.cache, response.headers, time.time())
        if fetched.generated:
            response = _with_length(response)
        if response.body is not None:
            if cacheable:
                self.store.put(key, response, now, ttl)
            return _Reply(_copy(response), x_cache)
        original = _copy(response)
        stream = fetched.chunks()
        if cacheable and ttl > 0:
            stream = self._tee(stream, key, original, now, ttl)
        return _Reply(response, x_cache, stream=stream, source=fetched)

    async def _tee(
        self,
        stream: AsyncGenerator[bytes],
        key: CacheKey,
        response: Response,
        now: float,
        ttl: float,
    ) -> AsyncGenerator[bytes]:
        parts: list[bytes] = []
        total = 0
        async with aclosing(stream):
            async for chunk in stream:
                total += len(chunk)
                if total <= MAX_OBJECT:
                    parts.append(chunk)
                yield chunk
        # Reached only when the viewer took all of it: "CloudFront does not cache the object" of a
        # cancelled request.
        if total <= MAX_OBJECT:
            response.body = b"".join(parts)
            self.store.put(key, response, now, ttl)

    async def _origin_error(
        self, exchange: Exchange, key: CacheKey, fetched: Fetched, now: float
    ) -> _Reply:
        response = fetched.response
        rule = exchange.distribution.errors.get(response.status)
        ttl = error_time_to_live(
            exchange.behaviour.cache,
            response.status,
            response.headers,
            time.time(),
            rule.min_ttl if rule is not None else ERROR_MIN_TTL,
        )
        keeps = exchange.request.method == "GET" and self._may_use_cache(exchange)
        reply = await self._custom_error(exchange, response.status, fetched)
        if reply is not None:
            if keeps:
                self.store.put(key, reply.response, now, ttl)
            return reply
        stream = fetched.chunks()
        if response.body is None and keeps and ttl > 0:
            stream = self._tee(stream, key, _copy(response), now, ttl)
        return _Reply(response, "Error", stream=stream, source=fetched, calls_viewer_response=False)

    async def _custom_error(
        self, exchange: Exchange, status: int, fetched: Fetched | None
    ) -> _Reply | None:
        rule = exchange.distribution.errors.get(status)
        if rule is None or rule.page is None:
            return None
        if fetched is not None:
            fetched.close()
        # "CloudFront finds the first cache behavior in your distribution that has a path pattern
        # that matches the path of the custom error page", and asks its origin.
        behaviour = _without_functions(select(exchange.distribution.behaviours, rule.page))
        request = Request("GET", rule.page, "", {}, b"")
        asked = Exchange(exchange.id, exchange.distribution, behaviour, request, exchange.viewer)
        page = await self._stage.fetch(asked, {})
        body = await page.read()
        # "If the custom error page isn't available, CloudFront returns to the viewer the status
        # code that CloudFront received from the origin that contains the custom error pages."
        answered = (rule.answer or status) if page.response.status < 400 else page.response.status
        response = Response(answered, page.response.headers, body, "")
        return _Reply(_with_length(response), "Error", calls_viewer_response=False)

    async def _last_steps(self, exchange: Exchange, reply: _Reply) -> None:
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


def _hit(exchange: Exchange, kept: Entry, x_cache: str, now: float) -> _Reply:
    request, response = exchange.request, _copy(kept.response)
    age = int(now - kept.stored)
    if response.status >= 400:
        return _Reply(response, "Error", age, calls_viewer_response=False)
    if request.method in {"GET", "HEAD"} and responses.is_not_modified(request, response):
        response.headers.pop("content-length", None)
        return _Reply(Response(304, response.headers, b"", "Not Modified"), x_cache, age)
    if request.method == "GET":
        response = responses.cut_range(request, response)
    return _Reply(response, x_cache, age)


def _conditions(stale: Entry | None) -> h.HeaderMap:
    """Ask the origin after a kept response: "CloudFront adds one or both of … If-None-Match,
    If-Modified-Since"."""
    conditions: h.HeaderMap = {}
    if stale is not None and stale.response.status < 400:
        etag = h.first(stale.response.headers, "etag")
        modified = h.first(stale.response.headers, "last-modified")
        if etag:
            h.put(conditions, "If-None-Match", etag)
        if modified:
            h.put(conditions, "If-Modified-Since", modified)
    return conditions


def _copy(response: Response) -> Response:
    return Response(response.status, h.copy(response.headers), response.body, response.reason)


def _with_length(response: Response) -> Response:
    h.put(response.headers, "Content-Length", str(len(response.body or b"")))
    return response


def _without_functions(behaviour: Behaviour) -> Behaviour:
    return Behaviour(
        pattern=behaviour.pattern,
        target=behaviour.target,
        cache=behaviour.cache,
        origin_request=behaviour.origin_request,
    )


def _without_body(served: Served, request: Request) -> Served:
    """RFC 9110 §6.4.1: responses to HEAD, and 204 and 304, have no content."""
    bodiless = served.response.status in {204, 304}
    if bodiless:
        served.response.headers.pop("content-length", None)
    if bodiless or request.method == "HEAD":
        served.response.body, served.stream = b"", None
        served.close()
    return served
