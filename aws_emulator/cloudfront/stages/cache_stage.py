"""The cache stage: respond from the cache, or call the origin stage and store its response."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from http import HTTPStatus

from aws_emulator.cloudfront import headers as h
from aws_emulator.cloudfront.errors import OriginError
from aws_emulator.cloudfront.model import CacheBehavior, Request, Response
from aws_emulator.cloudfront.stages import viewer_response
from aws_emulator.cloudfront.stages.cache_key import CacheKey, cache_key
from aws_emulator.cloudfront.stages.cache_store import MAX_OBJECT_BYTES, CacheEntry, CacheStore
from aws_emulator.cloudfront.stages.cache_ttl import (
    ERROR_CACHING_MIN_TTL_S,
    error_ttl,
    is_cacheable,
    object_ttl,
)
from aws_emulator.cloudfront.stages.origin_stage import OriginResult, OriginStage, RequestContext
from aws_emulator.cloudfront.stages.path_pattern import select_behavior
from aws_emulator.cloudfront.viewer import cloudfront_headers


@dataclass(slots=True)
class CacheResult:
    """A response from the cache or the origin. `age` is in seconds, None unless it was cached."""

    response: Response
    x_cache: str
    age: int | None = None
    stream: AsyncGenerator[bytes] | None = None
    source: OriginResult | None = None
    #: Whether CloudFront invokes the viewer-response function for this response.
    calls_viewer_response: bool = True


class CacheStage:
    """Respond from the cache store, or from the origin stage on a miss."""

    def __init__(self, store: CacheStore, origins: OriginStage) -> None:
        self._store = store
        self._origins = origins

    async def respond(self, context: RequestContext) -> CacheResult:
        """Respond to a request that the viewer-request function passed on.

        Raises:
            EdgeError: A function or the origin failed.
        """
        added_headers = cloudfront_headers(context.request, context.viewer)
        key = cache_key(context.behavior, context.request, added_headers)
        cached = self._store.get(key) if _may_use_cache(context) else None
        now = time.monotonic()
        if cached is not None and now < cached.expires:
            return _hit(context, cached, "Hit", now)
        # CloudFront neither revalidates a cached error nor serves it when the origin fails.
        stale = cached if cached is not None and cached.response.status < 400 else None
        return await self._miss(context, key, stale, now)

    async def _miss(
        self, context: RequestContext, key: CacheKey, stale: CacheEntry | None, now: float
    ) -> CacheResult:
        conditions = _conditions(stale)
        try:
            result = await self._origins.fetch(context, conditions)
        except OriginError as error:
            if stale is not None:
                return self._serve_stale(context, stale, now)
            reply = await self._custom_error(context, error.status, None)
            if reply is None:
                raise
            return reply
        if result.generated:
            return await self._store_result(context, key, result, now)
        status = result.response.status
        if stale is not None and status >= 500:
            result.close()
            return self._serve_stale(context, stale, now)
        if stale is not None and conditions and status == HTTPStatus.NOT_MODIFIED:
            result.close()
            ttl = object_ttl(context.behavior.cache_policy, result.response.headers, time.time())
            stale.stored, stale.expires = now, now + ttl
            return _hit(context, stale, "RefreshHit", now)
        if status >= 400:
            return await self._origin_error(context, key, result, now)
        return await self._store_result(context, key, result, now)

    def _serve_stale(self, context: RequestContext, stale: CacheEntry, now: float) -> CacheResult:
        # "If your origin returns a 5xx status code, CloudFront serves the object even though it has
        # expired. For the duration of the error caching minimum TTL, CloudFront continues to
        # respond to viewer requests by serving the object from the edge cache."
        stale.expires = now + ERROR_CACHING_MIN_TTL_S
        return _hit(context, stale, "Hit", now)

    async def _store_result(
        self, context: RequestContext, key: CacheKey, result: OriginResult, now: float
    ) -> CacheResult:
        response = result.response
        x_cache = "LambdaGeneratedResponse" if result.generated else "Miss"
        # "When a function is triggered by an origin request event … CloudFront returns the response
        # to the viewer, and also caches it."
        cacheable = is_cacheable(context.behavior, context.request, response.status)
        ttl = object_ttl(context.behavior.cache_policy, response.headers, time.time())
        if result.generated:
            response = with_length(response)
        if response.body is not None:
            if cacheable:
                self._store.put(key, response, now, ttl)
            return CacheResult(_copy(response), x_cache)
        original = _copy(response)
        stream = result.chunks()
        if cacheable and ttl > 0:
            stream = self._tee(stream, key, original, now, ttl)
        return CacheResult(response, x_cache, stream=stream, source=result)

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
                if total <= MAX_OBJECT_BYTES:
                    parts.append(chunk)
                yield chunk
        # Runs only after the viewer has read the whole body: "CloudFront does not cache the object"
        # if the request is cancelled.
        if total <= MAX_OBJECT_BYTES:
            response.body = b"".join(parts)
            self._store.put(key, response, now, ttl)

    async def _origin_error(
        self, context: RequestContext, key: CacheKey, result: OriginResult, now: float
    ) -> CacheResult:
        response = result.response
        rule = context.distribution.custom_error_responses.get(response.status)
        ttl = error_ttl(
            context.behavior.cache_policy,
            response.status,
            response.headers,
            time.time(),
            rule.error_caching_min_ttl_s if rule is not None else ERROR_CACHING_MIN_TTL_S,
        )
        may_store = context.request.method == "GET" and _may_use_cache(context)
        reply = await self._custom_error(context, response.status, result)
        if reply is not None:
            if may_store:
                self._store.put(key, reply.response, now, ttl)
            return reply
        stream = result.chunks()
        if response.body is None and may_store and ttl > 0:
            stream = self._tee(stream, key, _copy(response), now, ttl)
        return CacheResult(
            response, "Error", stream=stream, source=result, calls_viewer_response=False
        )

    async def _custom_error(
        self, context: RequestContext, status: int, result: OriginResult | None
    ) -> CacheResult | None:
        rule = context.distribution.custom_error_responses.get(status)
        if rule is None or rule.response_page_path is None:
            return None
        if result is not None:
            result.close()
        # "CloudFront finds the first cache behavior in your distribution that has a path pattern
        # that matches the path of the custom error page", and requests it from its origin.
        behavior = _without_functions(
            select_behavior(context.distribution.behaviors, rule.response_page_path)
        )
        request = Request("GET", rule.response_page_path, "", {}, b"")
        page_context = RequestContext(
            context.id, context.distribution, behavior, request, context.viewer
        )
        page = await self._origins.fetch(page_context, {})
        body = await page.read()
        # "If the custom error page isn't available, CloudFront returns to the viewer the status
        # code that CloudFront received from the origin that contains the custom error pages."
        status_code = (
            (rule.response_code or status) if page.response.status < 400 else page.response.status
        )
        response = Response(status_code, page.response.headers, body, "")
        return CacheResult(with_length(response), "Error", calls_viewer_response=False)


def _may_use_cache(context: RequestContext) -> bool:
    return context.request.method in context.behavior.cached_methods


def _hit(context: RequestContext, cached: CacheEntry, x_cache: str, now: float) -> CacheResult:
    request, response = context.request, _copy(cached.response)
    age = int(now - cached.stored)
    if response.status >= 400:
        return CacheResult(response, "Error", age, calls_viewer_response=False)
    if request.method in {"GET", "HEAD"} and viewer_response.is_not_modified(request, response):
        response.headers.pop("content-length", None)
        return CacheResult(Response(304, response.headers, b"", "Not Modified"), x_cache, age)
    if request.method == "GET":
        response = viewer_response.apply_range(request, response)
    return CacheResult(response, x_cache, age)


def _conditions(stale: CacheEntry | None) -> h.HeaderMap:
    # To revalidate a cached response, "CloudFront adds one or both of … If-None-Match,
    # If-Modified-Since".
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
    """Set Content-Length on a response with a complete body, and return the response."""
    h.put(response.headers, "Content-Length", str(len(response.body or b"")))
    return response


def _without_functions(behavior: CacheBehavior) -> CacheBehavior:
    return CacheBehavior(
        path_pattern=behavior.path_pattern,
        target_origin_id=behavior.target_origin_id,
        cache_policy=behavior.cache_policy,
        origin_request_policy=behavior.origin_request_policy,
    )
