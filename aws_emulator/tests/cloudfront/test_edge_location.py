"""Tests of request processing, with functions and origins in memory."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.cloudfront import headers as h
from aws_emulator.cloudfront.edge_location import MAX_URL_BYTES
from aws_emulator.cloudfront.errors import FunctionExecutionError, FunctionLimitError
from aws_emulator.cloudfront.model import EventType, Request
from aws_emulator.cloudfront.policies import ResponseHeadersPolicy
from aws_emulator.tests.cloudfront import strategies
from aws_emulator.tests.cloudfront.fakes import (
    CACHING,
    FakeFunctions,
    FakeOrigins,
    behavior,
    distribution,
    edge_location,
    origin_response,
    request,
    serve,
    unchanged,
    x_cache,
)


def test_viewer_request_function_generates_response() -> None:
    functions = FakeFunctions(
        viewer_request=lambda _: {
            "status": "302",
            "headers": {"location": [{"value": "/login"}], "set-cookie": [{"value": "a"}]},
        }
    )
    edge = edge_location(
        distribution(behavior("/a", "viewer-request", "viewer-response")), functions
    )
    served, body = serve(edge, request())
    assert (served.response.status, body) == (302, b"")
    assert x_cache(served) == "LambdaGeneratedResponse from cloudfront"
    assert served.outcomes == {"viewer-request": "generated:302"}
    # CloudFront neither caches the response nor invokes the viewer-response function.
    serve(edge, request())
    assert functions.invoked() == ["viewer-request"] * 2


def test_viewer_request_function_changes_uri_but_not_behavior() -> None:
    functions = FakeFunctions(
        viewer_request=lambda cf: {**cf["request"], "uri": "/other", "querystring": "z=1"}
    )
    origins = FakeOrigins(site=[lambda: origin_response(200, b"x")])
    behaviors = (behavior("/a", "viewer-request"), behavior("/other", target="other"))
    served, _ = serve(edge_location(distribution(*behaviors), functions, origins), request())
    assert served.behavior == "/a"
    assert [(origin.id, sent.uri) for origin, sent in origins.requests] == [("site", "/other")]


def test_origin_request_function_runs_on_cache_miss_only() -> None:
    functions = FakeFunctions(
        origin_request=lambda _: {
            "status": "200",
            "body": "edge",
            "headers": {"cache-control": [{"value": "max-age=60"}]},
        }
    )
    edge = edge_location(distribution(behavior("/a", "origin-request", cache=CACHING)), functions)
    served, body = serve(edge, request())
    assert (body, x_cache(served)) == (b"edge", "LambdaGeneratedResponse from cloudfront")
    served, body = serve(edge, request())
    assert (body, x_cache(served)) == (b"edge", "Hit from cloudfront")
    assert functions.invoked() == ["origin-request"]


def test_origin_request_function_changes_origin() -> None:
    def elsewhere(cf: dict[str, Any]) -> Any:
        viewer_request = cf["request"]
        viewer_request["origin"] = {
            "custom": {"domainName": "localhost", "port": 8000, "protocol": "http"}
        }
        return viewer_request

    origins = FakeOrigins(site=[lambda: origin_response(200, b"x")])
    edge = edge_location(
        distribution(behavior("/a", "origin-request")),
        FakeFunctions(origin_request=elsewhere),
        origins,
    )
    assert serve(edge, request())[0].response.status == 200
    ((asked_at, _),) = origins.requests
    assert (asked_at.kind, asked_at.domain, asked_at.port) == ("custom", "localhost", 8000)
    assert asked_at.signing_behavior is None


def test_edge_location_invokes_four_functions_in_order() -> None:
    def mark(cf: dict[str, Any]) -> Any:
        name = f"x-{cf['config']['eventType']}"
        result_fields = unchanged(cf)
        result_fields["headers"][name] = [{"value": "seen"}]
        return result_fields

    functions = FakeFunctions(
        viewer_request=mark, origin_request=mark, origin_response=mark, viewer_response=mark
    )
    origins = FakeOrigins(site=[lambda: origin_response(200, b"x")])
    events: list[EventType] = [
        "viewer-request",
        "origin-request",
        "origin-response",
        "viewer-response",
    ]
    edge = edge_location(distribution(behavior("/a", *events)), functions, origins)
    served, body = serve(edge, request())
    assert functions.invoked() == events
    assert body == b"x"
    assert {"x-origin-response", "x-viewer-response"} <= served.response.headers.keys()
    assert origins.requests[0][1].headers["x-origin-request"]
    # Without a policy, the origin request omits the viewer's header.
    assert "x-viewer-request" not in origins.requests[0][1].headers
    assert set(served.outcomes.values()) == {"passed"}


def test_origin_response_function_replaces_body() -> None:
    functions = FakeFunctions(
        origin_response=lambda cf: {**cf["response"], "status": "200", "body": "found"}
    )
    not_found = origin_response(404, b"not there", content_length="9")
    origins = FakeOrigins(site=[lambda: not_found])
    edge = edge_location(distribution(behavior("/a", "origin-response")), functions, origins)
    served, body = serve(edge, request())
    assert (served.response.status, body) == (200, b"found")
    assert h.joined(served.response.headers, "content-length") == "5"
    assert not_found.closed


@pytest.mark.parametrize(
    ("error", "status", "word"),
    [
        (FunctionExecutionError("x"), 503, "LambdaExecutionError"),
        (FunctionLimitError("x"), 503, "LambdaLimitExceeded"),
    ],
)
@pytest.mark.parametrize("event_type", ["viewer-request", "origin-request"])
def test_edge_location_returns_error_page_when_function_fails(
    error: Exception, status: int, word: str, event_type: EventType
) -> None:
    def fail(_: Any) -> Any:
        raise error

    functions = FakeFunctions(**{event_type.replace("-", "_"): fail})
    served, body = serve(
        edge_location(distribution(behavior("/a", event_type)), functions), request()
    )
    assert served.response.status == status
    assert x_cache(served) == f"{word} from cloudfront"
    assert served.outcomes[event_type].startswith(word)
    assert b"Request ID: id" in body


@given(strategies.viewer_requests(), st.data())
def test_edge_location_responds_to_any_function_result(
    viewer_request: Request, data: st.DataObject
) -> None:
    def anything(cf: dict[str, Any]) -> Any:
        return data.draw(strategies.function_results(dict(unchanged(cf))))

    functions = FakeFunctions(
        viewer_request=anything,
        origin_request=anything,
        origin_response=anything,
        viewer_response=anything,
    )
    origins = FakeOrigins(
        site=[
            lambda: origin_response(data.draw(st.sampled_from([200, 204, 304, 404, 500])), b"body"),
        ]
    )
    events: list[EventType] = [
        "viewer-request",
        "origin-request",
        "origin-response",
        "viewer-response",
    ]
    edge = edge_location(
        distribution(behavior("*", *events, body=data.draw(st.booleans()), cache=CACHING)),
        functions,
        origins,
    )
    served, body = serve(edge, viewer_request)
    assert 200 <= served.response.status <= 599
    assert x_cache(served)
    assert h.joined(served.response.headers, "x-amz-cf-id") == "id"
    assert all(h.is_name(name) for name in served.response.headers)
    assert all(h.is_value(value) for _, value in h.flatten(served.response.headers))
    if viewer_request.method == "HEAD" or served.response.status in {204, 304}:
        assert body == b""
    if any(outcome.startswith("LambdaValidation") for outcome in served.outcomes.values()):
        assert served.response.status == 502


def test_edge_location_rejects_method_outside_allowed_methods() -> None:
    edge = edge_location(distribution())
    for method in ("POST", "DELETE", "OPTIONS", "PROPFIND"):
        served, _ = serve(edge, request(method=method))
        assert (served.response.status, served.error) == (403, "MethodNotAllowed")


def test_edge_location_rejects_get_with_body() -> None:
    served, _ = serve(edge_location(distribution()), request(body=b"x"))
    assert (served.response.status, served.error) == (403, "GetWithBody")


@pytest.mark.parametrize(("over", "status"), [(0, 200), (1, 414)])
def test_edge_location_rejects_url_over_limit(over: int, status: int) -> None:
    origins = FakeOrigins(site=[lambda: origin_response(200, b"x")])
    known = len("https://x.example/?q")
    viewer_request = request("/" + "a" * (MAX_URL_BYTES - known + over), query="q")
    assert (
        serve(edge_location(distribution(), origins=origins), viewer_request)[0].response.status
        == status
    )


def test_edge_location_returns_error_without_enabled_distribution() -> None:
    edge = edge_location(distribution(enabled=False))
    assert serve(edge, request())[0].response.status == 403
    edge.distribution = None
    assert serve(edge, request())[0].response.status == 503


def test_response_headers_policy_applies_to_generated_response() -> None:
    policy = ResponseHeadersPolicy("id", added=(("X-Frame-Options", "DENY", True),))
    functions = FakeFunctions(viewer_request=lambda _: {"status": "401"})
    edge = edge_location(
        distribution(behavior("/a", "viewer-request", response_headers_policy=policy)), functions
    )
    assert h.joined(serve(edge, request())[0].response.headers, "x-frame-options") == "DENY"


def test_viewer_response_function_skips_origin_error() -> None:
    functions = FakeFunctions(viewer_response=unchanged)
    origins = FakeOrigins(site=[lambda: origin_response(500, b"no")])
    edge = edge_location(distribution(behavior("/a", "viewer-response")), functions, origins)
    assert serve(edge, request())[0].response.status == 500
    assert functions.invoked() == []


def test_viewer_response_function_skips_generated_error() -> None:
    functions = FakeFunctions(origin_request=lambda _: {"status": "401"}, viewer_response=unchanged)
    edge = edge_location(
        distribution(behavior("/a", "origin-request", "viewer-response")), functions
    )
    assert serve(edge, request())[0].response.status == 401
    assert functions.invoked() == ["origin-request"]


def test_set_cookie_is_removed_unless_cookies_are_forwarded() -> None:
    origins = FakeOrigins(site=[lambda: origin_response(200, b"x", set_cookie="a=1")])
    edge = edge_location(distribution(behavior("/a")), origins=origins)
    assert "set-cookie" not in serve(edge, request())[0].response.headers
