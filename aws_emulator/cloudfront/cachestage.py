"""The edge cache in front of the origins: hits, misses, errors, and what is kept of each."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from http import HTTPStatus

from aws_emulator.cloudfront import headers as h
from aws_emulator.cloudfront import responses
from aws_emulator.cloudfront.behaviours import select
from aws_emulator.cloudfront.cache import (
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
from aws_emulator.cloudfront.errors import OriginError
from aws_emulator.cloudfront.model import Behaviour, Request, Response
from aws_emulator.cloudfront.originstage import Exchange, Fetched, OriginStage
from aws_emulator.cloudfront.viewer import cloudfront_headers


@dataclass(slots=True)
class Reply:
    """A response on its way to the viewer. `age` in seconds, None where it was not kept."""

    response: Response
    x_cache: str
    age: int | None = None
    stream: AsyncGenerator[bytes] | None = None
    source: Fetched | None = None
    #: Whether the viewer-response function is called for it.
    calls_viewer_response: bool = True


class CacheStage:
    """Answers from the store where it may, and from the origins where it must."""

    def __init__(self, store: Store, origins: OriginStage) -> None:
        self._store = store
        self._origins = origins

    async def answer(self, exchange: Exchange) -> Reply:
        """Answer a request that the viewer's function let pass. Raises EdgeError."""
        own = cloudfront_headers(exchange.request, exchange.viewer)
        key = cache_key(exchange.behaviour, exchange.request, own)
        kept = self._store.get(key) if _may_use_cache(exchange) else None
        now = time.monotonic()
        if kept is not None and now < kept.expires:
            return _hit(exchange, kept, "Hit", now)
        # An error is not asked after, nor served in place of another.
        stale = kept if kept is not None and kept.response.status < 400 else None
        return await self._miss(exchange, key, stale, now)

    async def _miss(
        self, exchange: Exchange, key: CacheKey, stale: Entry | None, now: float
    ) -> Reply:
        conditions = _conditions(stale)
        try:
            fetched = await self._origins.fetch(exchange, conditions)
        except OriginError as error:
            if stale is not None:
                return self._serve_stale(exchange, stale, now)
            reply = await self._custom_error(exchange, error.status, None)
            if reply is None:
                raise
            return reply
        if fetched.generated:
            return await self._keep(exchange, key, fetched, now)
        status = fetched.response.status
        if stale is not None and status >= 500:
            fetched.close()
            return self._serve_stale(exchange, stale, now)
        if stale is not None and conditions and status == HTTPStatus.NOT_MODIFIED:
            fetched.close()
            ttl = time_to_live(exchange.behaviour.cache, fetched.response.headers, time.time())
            stale.stored, stale.expires = now, now + ttl
            return _hit(exchange, stale, "RefreshHit", now)
        if status >= 400:
            return await self._origin_error(exchange, key, fetched, now)
        return await self._keep(exchange, key, fetched, now)

    def _serve_stale(self, exchange: Exchange, stale: Entry, now: float) -> Reply:
        # "If your origin returns a 5xx status code, CloudFront serves the object even though it has
        # expired. For the duration of the error caching minimum TTL, CloudFront continues to
        # respond to viewer requests by serving the object from the edge cache."
        stale.expires = now + ERROR_MIN_TTL
        return _hit(exchange, stale, "Hit", now)

    async def _keep(self, exchange: Exchange, key: CacheKey, fetched: Fetched, now: float) -> Reply:
        response = fetched.response
        x_cache = "LambdaGeneratedResponse" if fetched.generated else "Miss"
        # "When a function is triggered by an origin request event … CloudFront returns the response
        # to the viewer, and also caches it."
        cacheable = is_cacheable(exchange.behaviour, exchange.request, response.status)
        ttl = time_to_live(exchange.behaviour.cache, response.headers, time.time())
        if fetched.generated:
            response = with_length(response)
        if response.body is not None:
            if cacheable:
                self._store.put(key, response, now, ttl)
            return Reply(_copy(response), x_cache)
        original = _copy(response)
        stream = fetched.chunks()
        if cacheable and ttl > 0:
            stream = self._tee(stream, key, original, now, ttl)
        return Reply(response, x_cache, stream=stream, source=fetched)

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
            self._store.put(key, response, now, ttl)

    async def _origin_error(
        self, exchange: Exchange, key: CacheKey, fetched: Fetched, now: float
    ) -> Reply:
        response = fetched.response
        rule = exchange.distribution.errors.get(response.status)
        ttl = error_time_to_live(
            exchange.behaviour.cache,
            response.status,
            response.headers,
            time.time(),
            rule.min_ttl if rule is not None else ERROR_MIN_TTL,
        )
        keeps = exchange.request.method == "GET" and _may_use_cache(exchange)
        reply = await self._custom_error(exchange, response.status, fetched)
        if reply is not None:
            if keeps:
                self._store.put(key, reply.response, now, ttl)
            return reply
        stream = fetched.chunks()
        if response.body is None and keeps and ttl > 0:
            stream = self._tee(stream, key, _copy(response), now, ttl)
        return Reply(response, "Error", stream=stream, source=fetched, calls_viewer_response=False)

    async def _custom_error(
        self, exchange: Exchange, status: int, fetched: Fetched | None
    ) -> Reply | None:
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
        page = await self._origins.fetch(asked, {})
        body = await page.read()
        # "If the custom error page isn't available, CloudFront returns to the viewer the status
        # code that CloudFront received from the origin that contains the custom error pages."
        answered = (rule.answer or status) if page.response.status < 400 else page.response.status
        response = Response(answered, page.response.headers, body, "")
        return Reply(with_length(response), "Error", calls_viewer_response=False)


def _may_use_cache(exchange: Exchange) -> bool:
    return exchange.request.method in exchange.behaviour.cached_methods


def _hit(exchange: Exchange, kept: Entry, x_cache: str, now: float) -> Reply:
    request, response = exchange.request, _copy(kept.response)
    age = int(now - kept.stored)
    if response.status >= 400:
        return Reply(response, "Error", age, calls_viewer_response=False)
    if request.method in {"GET", "HEAD"} and responses.is_not_modified(request, response):
        response.headers.pop("content-length", None)
        return Reply(Response(304, response.headers, b"", "Not Modified"), x_cache, age)
    if request.method == "GET":
        response = responses.cut_range(request, response)
    return Reply(response, x_cache, age)


def _conditions(stale: Entry | None) -> h.HeaderMap:
    """Ask the origin after a kept response: "CloudFront adds one or both of … If-None-Match,
    If-Modified-Since"."""
    conditions: h.HeaderMap = {}
    if stale is not None:
        etag = h.first(stale.response.headers, "etag")
        modified = h.first(stale.response.headers, "last-modified")
        if etag:
            h.put(conditions, "If-None-Match", etag)
        if modified:
            h.put(conditions, "If-Modified-Since", modified)
    return conditions


def _copy(response: Response) -> Response:
    return Response(response.status, h.copy(response.headers), response.body, response.reason)


def with_length(response: Response) -> Response:
    """Set the length of a response whose body is whole."""
    h.put(response.headers, "Content-Length", str(len(response.body or b"")))
    return response


def _without_functions(behaviour: Behaviour) -> Behaviour:
    return Behaviour(
        pattern=behaviour.pattern,
        target=behaviour.target,
        cache=behaviour.cache,
        origin_request=behaviour.origin_request,
    )
