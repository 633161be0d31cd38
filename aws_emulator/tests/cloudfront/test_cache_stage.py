"""Tests of cache hits, revalidation, cached errors and custom error pages."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from aws_emulator.cloudfront import headers as h
from aws_emulator.cloudfront.edge_location import EdgeLocation
from aws_emulator.cloudfront.errors import OriginError
from aws_emulator.cloudfront.model import CustomErrorResponse
from aws_emulator.tests.cloudfront.fakes import (
    CACHING,
    VIEWER,
    FakeFunctions,
    FakeOrigins,
    behavior,
    distribution,
    edge_location,
    origin_response,
    request,
    serve,
    x_cache,
)


def test_second_request_is_served_from_cache() -> None:
    origins = FakeOrigins(site=[lambda: origin_response(200, b"<h1>", b"home", etag='"1"')])
    edge = edge_location(distribution(), origins=origins)
    served, body = serve(edge, request("/"))
    assert (served.response.status, body, x_cache(served)) == (
        200,
        b"<h1>home",
        "Miss from cloudfront",
    )
    cached, body = serve(edge, request("/", x_other="1"))
    assert (body, x_cache(cached)) == (b"<h1>home", "Hit from cloudfront")
    assert h.joined(cached.response.headers, "age") == "0"
    # The origin request is for the default root object.
    assert [(origin.id, sent.uri) for origin, sent in origins.requests] == [("site", "/index.html")]


def test_cached_page_serves_head_range_and_condition() -> None:
    origins = FakeOrigins(site=[lambda: origin_response(200, b"0123456789", etag='"1"')])
    edge = edge_location(distribution(), origins=origins)
    serve(edge, request())
    assert serve(edge, request(method="HEAD"))[1] == b""
    served, body = serve(edge, request(range="bytes=2-3"))
    assert (served.response.status, body) == (206, b"23")
    served, body = serve(edge, request(if_none_match='"1"'))
    assert (served.response.status, body) == (304, b"")
    assert len(origins.requests) == 1


def test_page_is_not_cached_when_viewer_disconnects() -> None:
    origins = FakeOrigins(site=[lambda: origin_response(200, b"a", b"b")])
    edge = edge_location(distribution(), origins=origins)

    async def leave() -> None:
        served = await edge.serve(request(), VIEWER, "id")
        assert served.stream is not None
        async for _ in served.stream:
            break
        await served.stream.aclose()

    asyncio.run(leave())
    assert len(edge.store) == 0


def test_origin_error_is_cached_for_minimum_ttl() -> None:
    origins = FakeOrigins(
        site=[lambda: origin_response(404, b"no"), lambda: origin_response(200, b"yes")]
    )
    edge = edge_location(distribution(), origins=origins)
    for _ in range(2):
        served, body = serve(edge, request())
        assert (served.response.status, body) == (404, b"no")
        assert x_cache(served) == "Error from cloudfront"
    assert len(origins.requests) == 1
    # CloudFront caches a 403 only if the origin sends cache headers.
    origins = FakeOrigins(
        site=[lambda: origin_response(403, b"no"), lambda: origin_response(200, b"yes")]
    )
    edge = edge_location(distribution(), origins=origins)
    assert [serve(edge, request())[1] for _ in range(2)] == [b"no", b"yes"]


def test_custom_error_page_replaces_origin_error() -> None:
    rule = CustomErrorResponse(404, 0, response_page_path="/sorry.html", response_code=200)
    origins = FakeOrigins(
        site=[lambda: origin_response(404, b"no"), lambda: origin_response(200, b"sorry")]
    )
    edge = edge_location(distribution(errors=(rule,)), origins=origins)
    served, body = serve(edge, request())
    assert (served.response.status, body) == (200, b"sorry")
    assert [sent.uri for _, sent in origins.requests] == ["/a", "/sorry.html"]


def test_missing_custom_error_page_returns_its_own_error() -> None:
    rule = CustomErrorResponse(404, 0, response_page_path="/sorry.html", response_code=200)
    origins = FakeOrigins(
        site=[lambda: origin_response(404, b"no"), lambda: origin_response(403, b"denied")]
    )
    served, body = serve(edge_location(distribution(errors=(rule,)), origins=origins), request())
    assert (served.response.status, body) == (403, b"denied")


def test_unreachable_origin_returns_error_page_or_custom_page() -> None:
    origins = FakeOrigins(site=[OriginError("gone")])
    assert (
        serve(edge_location(distribution(), origins=origins), request())[0].response.status == 502
    )
    origins = FakeOrigins(site=[OriginError("late", status=504)])
    assert (
        serve(edge_location(distribution(), origins=origins), request())[0].response.status == 504
    )
    rule = CustomErrorResponse(502, 0, response_page_path="/sorry.html")
    origins = FakeOrigins(site=[OriginError("gone"), lambda: origin_response(200, b"sorry")])
    served, body = serve(edge_location(distribution(errors=(rule,)), origins=origins), request())
    assert (served.response.status, body) == (502, b"sorry")


def expire(edge: EdgeLocation) -> None:
    for entry in edge.store._entries.values():
        entry.expires = entry.stored - 1


def test_expired_page_is_revalidated_and_kept_on_304() -> None:
    origins = FakeOrigins(
        site=[
            lambda: origin_response(200, b"x", etag='"1"', last_modified="then"),
            lambda: origin_response(304),
        ]
    )
    edge = edge_location(distribution(), origins=origins)
    serve(edge, request())
    expire(edge)
    served, body = serve(edge, request())
    assert (served.response.status, body) == (200, b"x")
    assert x_cache(served) == "RefreshHit from cloudfront"
    revalidation = origins.requests[1][1]
    assert h.joined(revalidation.headers, "if-none-match") == '"1"'
    assert h.joined(revalidation.headers, "if-modified-since") == "then"
    assert x_cache(serve(edge, request())[0]) == "Hit from cloudfront"


def test_revalidation_ignores_viewers_conditions() -> None:
    origins = FakeOrigins(
        site=[
            lambda: origin_response(200, b"x", etag='"1"'),
            lambda: origin_response(200, b"y", etag='"2"'),
        ]
    )
    edge = edge_location(distribution(), origins=origins)
    serve(edge, request())
    expire(edge)
    serve(edge, request(if_none_match='"2"'))
    assert h.joined(origins.requests[1][1].headers, "if-none-match") == '"1"'
    # A 304 for the viewer's validator doesn't revalidate a cached page without a validator.
    origins = FakeOrigins(site=[lambda: origin_response(200, b"x"), lambda: origin_response(304)])
    edge = edge_location(distribution(), origins=origins)
    serve(edge, request())
    expire(edge)
    served, _ = serve(edge, request(if_none_match='"2"'))
    assert (served.response.status, x_cache(served)) == (304, "Miss from cloudfront")


def test_expired_error_is_not_served_when_origin_fails() -> None:
    origins = FakeOrigins(
        site=[lambda: origin_response(404, b"no"), lambda: origin_response(500, b"worse")]
    )
    edge = edge_location(distribution(), origins=origins)
    serve(edge, request())
    expire(edge)
    assert serve(edge, request())[0].response.status == 500


@pytest.mark.parametrize("second", [OriginError("gone"), lambda: origin_response(500, b"no")])
def test_expired_page_is_served_when_origin_fails(second: Any) -> None:
    origins = FakeOrigins(site=[lambda: origin_response(200, b"x"), second])
    edge = edge_location(distribution(), origins=origins)
    serve(edge, request())
    expire(edge)
    assert serve(edge, request())[1] == b"x"


def test_deployment_clears_cache() -> None:
    origins = FakeOrigins(
        site=[lambda: origin_response(200, b"old"), lambda: origin_response(200, b"new")]
    )
    edge = edge_location(distribution(), origins=origins)
    assert serve(edge, request())[1] == b"old"
    edge.deploy(replace(distribution(), id="E1"))
    assert serve(edge, request())[1] == b"new"


def test_cached_response_has_no_cookie_of_another_viewer() -> None:
    functions = FakeFunctions(
        viewer_response=lambda cf: {
            **cf["response"],
            "headers": {**cf["response"]["headers"], "set-cookie": [{"value": "mine"}]},
        }
    )
    origins = FakeOrigins(site=[lambda: origin_response(200, b"x")])
    edge = edge_location(
        distribution(behavior("/a", "viewer-response", cache=CACHING)), functions, origins
    )
    serve(edge, request())
    (entry,) = edge.store._entries.values()
    assert "set-cookie" not in entry.response.headers
