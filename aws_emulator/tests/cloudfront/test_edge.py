"""What CloudFront does with a request, with Lambda and the origins in memory."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.cloudfront import headers as h
from aws_emulator.cloudfront.edge import URL_LIMIT, Edge, Served
from aws_emulator.cloudfront.errors import ExecutionError, LimitExceededError, OriginError
from aws_emulator.cloudfront.model import Behaviour, ErrorResponse, EventType, Request
from aws_emulator.cloudfront.policies import CachePolicy, ResponseHeadersPolicy
from aws_emulator.tests import strategies
from aws_emulator.tests.cloudfront.fakes import (
    KEPT,
    VIEWER,
    FakeFunctions,
    FakeOrigins,
    answer,
    ask,
    associated,
    distribution,
    edge,
    request,
)

OFF = CachePolicy("off", 0, 0, 0)
ALL_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"})


def run(served_by: Edge, asked: Request) -> tuple[Served, bytes]:
    return asyncio.run(ask(served_by, asked))


def behaviour(pattern: str, *events: EventType, **more: Any) -> Behaviour:
    body = more.pop("body", False)
    return Behaviour(
        pattern,
        more.pop("target", "portal"),
        more.pop("cache", OFF),
        associations=associated(*events, body=body),
        **{"allowed_methods": ALL_METHODS, **more},
    )


def x_cache(served: Served) -> str | None:
    return h.joined(served.response.headers, "x-cache")


def unchanged(cf: dict[str, Any]) -> Any:
    return cf["response"] if "response" in cf else cf["request"]


def test_a_page_comes_from_the_origin_and_then_from_the_cache() -> None:
    origins = FakeOrigins(portal=[lambda: answer(200, b"<h1>", b"home", etag='"1"')])
    made = edge(distribution(), origins=origins)
    served, body = run(made, request("/"))
    assert (served.response.status, body, x_cache(served)) == (
        200,
        b"<h1>home",
        "Miss from cloudfront",
    )
    again, body = run(made, request("/", x_other="1"))
    assert (body, x_cache(again)) == (b"<h1>home", "Hit from cloudfront")
    assert h.joined(again.response.headers, "age") == "0"
    # The default root object is what the origin is asked for.
    assert [(at.id, asked.uri) for at, asked in origins.requests] == [("portal", "/index.html")]


def test_a_kept_page_answers_head_ranges_and_conditions() -> None:
    origins = FakeOrigins(portal=[lambda: answer(200, b"0123456789", etag='"1"')])
    made = edge(distribution(), origins=origins)
    run(made, request())
    assert run(made, request(method="HEAD"))[1] == b""
    served, body = run(made, request(range="bytes=2-3"))
    assert (served.response.status, body) == (206, b"23")
    served, body = run(made, request(if_none_match='"1"'))
    assert (served.response.status, body) == (304, b"")
    assert len(origins.requests) == 1


def test_a_page_that_the_viewer_left_is_not_kept() -> None:
    origins = FakeOrigins(portal=[lambda: answer(200, b"a", b"b")])
    made = edge(distribution(), origins=origins)

    async def leave() -> None:
        served = await made.serve(request(), VIEWER, "id")
        assert served.stream is not None
        async for _ in served.stream:
            break
        await served.stream.aclose()

    asyncio.run(leave())
    assert len(made.store) == 0


def test_a_viewer_function_answers_by_itself() -> None:
    functions = FakeFunctions(
        viewer_request=lambda _: {
            "status": "302",
            "headers": {"location": [{"value": "/login"}], "set-cookie": [{"value": "a"}]},
        }
    )
    made = edge(distribution(behaviour("/a", "viewer-request", "viewer-response")), functions)
    served, body = run(made, request())
    assert (served.response.status, body) == (302, b"")
    assert x_cache(served) == "LambdaGeneratedResponse from cloudfront"
    assert served.outcomes == {"viewer-request": "generated:302"}
    # Not cached, and no viewer-response function is called.
    run(made, request())
    assert functions.called() == ["viewer-request"] * 2


def test_a_viewer_function_changes_the_request_but_not_its_behaviour() -> None:
    functions = FakeFunctions(
        viewer_request=lambda cf: {**cf["request"], "uri": "/other", "querystring": "z=1"}
    )
    origins = FakeOrigins(portal=[lambda: answer(200, b"x")])
    behaviours = (behaviour("/a", "viewer-request"), behaviour("/other", target="other"))
    served, _ = run(edge(distribution(*behaviours), functions, origins), request())
    assert served.behaviour == "/a"
    assert [(at.id, asked.uri) for at, asked in origins.requests] == [("portal", "/other")]


def test_an_origin_function_is_called_on_a_miss_only() -> None:
    functions = FakeFunctions(
        origin_request=lambda _: {
            "status": "200",
            "body": "made",
            "headers": {"cache-control": [{"value": "max-age=60"}]},
        }
    )
    made = edge(distribution(behaviour("/a", "origin-request", cache=KEPT)), functions)
    served, body = run(made, request())
    assert (body, x_cache(served)) == (b"made", "LambdaGeneratedResponse from cloudfront")
    served, body = run(made, request())
    assert (body, x_cache(served)) == (b"made", "Hit from cloudfront")
    assert functions.called() == ["origin-request"]


def test_an_origin_function_sends_the_request_elsewhere() -> None:
    def elsewhere(cf: dict[str, Any]) -> Any:
        asked = cf["request"]
        asked["origin"] = {"custom": {"domainName": "localhost", "port": 8000, "protocol": "http"}}
        return asked

    origins = FakeOrigins(portal=[lambda: answer(200, b"x")])
    made = edge(
        distribution(behaviour("/a", "origin-request")),
        FakeFunctions(origin_request=elsewhere),
        origins,
    )
    assert run(made, request())[0].response.status == 200
    ((asked_at, _),) = origins.requests
    assert (asked_at.kind, asked_at.domain, asked_at.port) == ("custom", "localhost", 8000)
    assert asked_at.signing is None


def test_all_four_functions_are_called_in_order() -> None:
    def mark(cf: dict[str, Any]) -> Any:
        name = f"x-{cf['config']['eventType']}"
        found = unchanged(cf)
        found["headers"][name] = [{"value": "seen"}]
        return found

    functions = FakeFunctions(
        viewer_request=mark, origin_request=mark, origin_response=mark, viewer_response=mark
    )
    origins = FakeOrigins(portal=[lambda: answer(200, b"x")])
    events: list[EventType] = [
        "viewer-request",
        "origin-request",
        "origin-response",
        "viewer-response",
    ]
    made = edge(distribution(behaviour("/a", *events)), functions, origins)
    served, body = run(made, request())
    assert functions.called() == events
    assert body == b"x"
    assert {"x-origin-response", "x-viewer-response"} <= served.response.headers.keys()
    assert origins.requests[0][1].headers["x-origin-request"]
    # The viewer's own header is no part of the origin request without a policy.
    assert "x-viewer-request" not in origins.requests[0][1].headers
    assert set(served.outcomes.values()) == {"passed"}


def test_a_response_function_may_bring_its_own_body() -> None:
    functions = FakeFunctions(
        origin_response=lambda cf: {**cf["response"], "status": "200", "body": "found"}
    )
    gone = answer(404, b"not there", content_length="9")
    origins = FakeOrigins(portal=[lambda: gone])
    made = edge(distribution(behaviour("/a", "origin-response")), functions, origins)
    served, body = run(made, request())
    assert (served.response.status, body) == (200, b"found")
    assert h.joined(served.response.headers, "content-length") == "5"
    assert gone.closed


@pytest.mark.parametrize(
    ("error", "status", "word"),
    [
        (ExecutionError("x"), 503, "LambdaExecutionError"),
        (LimitExceededError("x"), 503, "LambdaLimitExceeded"),
    ],
)
@pytest.mark.parametrize("event_type", ["viewer-request", "origin-request"])
def test_a_failing_function_is_a_page_of_its_own(
    error: Exception, status: int, word: str, event_type: EventType
) -> None:
    def fail(_: Any) -> Any:
        raise error

    functions = FakeFunctions(**{event_type.replace("-", "_"): fail})
    served, body = run(edge(distribution(behaviour("/a", event_type)), functions), request())
    assert served.response.status == status
    assert x_cache(served) == f"{word} from cloudfront"
    assert served.outcomes[event_type].startswith(word)
    assert b"Request ID: id" in body


@given(strategies.edge_requests(), st.data())
def test_whatever_functions_return_the_viewer_gets_an_answer(
    asked: Request, data: st.DataObject
) -> None:
    def anything(cf: dict[str, Any]) -> Any:
        return data.draw(strategies.edge_results(dict(unchanged(cf))))

    functions = FakeFunctions(
        viewer_request=anything,
        origin_request=anything,
        origin_response=anything,
        viewer_response=anything,
    )
    origins = FakeOrigins(
        portal=[
            lambda: answer(data.draw(st.sampled_from([200, 204, 304, 404, 500])), b"body"),
        ]
    )
    events: list[EventType] = [
        "viewer-request",
        "origin-request",
        "origin-response",
        "viewer-response",
    ]
    made = edge(
        distribution(behaviour("*", *events, body=data.draw(st.booleans()), cache=KEPT)),
        functions,
        origins,
    )
    served, body = run(made, asked)
    assert 200 <= served.response.status <= 599
    assert x_cache(served)
    assert h.joined(served.response.headers, "x-amz-cf-id") == "id"
    assert all(h.is_name(name) for name in served.response.headers)
    assert all(h.is_value(value) for _, value in h.flatten(served.response.headers))
    if asked.method == "HEAD" or served.response.status in {204, 304}:
        assert body == b""
    if any(outcome.startswith("LambdaValidation") for outcome in served.outcomes.values()):
        assert served.response.status == 502


def test_a_method_that_the_behaviour_does_not_allow_is_forbidden() -> None:
    made = edge(distribution())
    for method in ("POST", "DELETE", "OPTIONS", "PROPFIND"):
        served, _ = run(made, request(method=method))
        assert (served.response.status, served.error) == (403, "MethodNotAllowed")


def test_a_get_with_a_body_is_forbidden() -> None:
    served, _ = run(edge(distribution()), request(body=b"x"))
    assert (served.response.status, served.error) == (403, "GetWithBody")


@pytest.mark.parametrize(("over", "status"), [(0, 200), (1, 414)])
def test_a_url_past_the_limit_is_refused(over: int, status: int) -> None:
    origins = FakeOrigins(portal=[lambda: answer(200, b"x")])
    known = len("https://x.example/?q")
    asked = request("/" + "a" * (URL_LIMIT - known + over), query="q")
    assert run(edge(distribution(), origins=origins), asked)[0].response.status == status


def test_a_disabled_or_missing_distribution_serves_nothing() -> None:
    made = edge(distribution(enabled=False))
    assert run(made, request())[0].response.status == 403
    made.distribution = None
    assert run(made, request())[0].response.status == 503


def test_an_error_of_the_origin_stays_for_its_minimum_time() -> None:
    origins = FakeOrigins(portal=[lambda: answer(404, b"no"), lambda: answer(200, b"yes")])
    made = edge(distribution(), origins=origins)
    for _ in range(2):
        served, body = run(made, request())
        assert (served.response.status, body) == (404, b"no")
        assert x_cache(served) == "Error from cloudfront"
    assert len(origins.requests) == 1
    # 403 is kept only where the origin says so.
    origins = FakeOrigins(portal=[lambda: answer(403, b"no"), lambda: answer(200, b"yes")])
    made = edge(distribution(), origins=origins)
    assert [run(made, request())[1] for _ in range(2)] == [b"no", b"yes"]


def test_a_custom_error_page_stands_for_an_error() -> None:
    rule = ErrorResponse(404, 0, page="/sorry.html", answer=200)
    origins = FakeOrigins(portal=[lambda: answer(404, b"no"), lambda: answer(200, b"sorry")])
    made = edge(distribution(errors=(rule,)), origins=origins)
    served, body = run(made, request())
    assert (served.response.status, body) == (200, b"sorry")
    assert [asked.uri for _, asked in origins.requests] == ["/a", "/sorry.html"]


def test_a_custom_error_page_that_is_not_there_answers_for_itself() -> None:
    rule = ErrorResponse(404, 0, page="/sorry.html", answer=200)
    origins = FakeOrigins(portal=[lambda: answer(404, b"no"), lambda: answer(403, b"denied")])
    served, body = run(edge(distribution(errors=(rule,)), origins=origins), request())
    assert (served.response.status, body) == (403, b"denied")


def test_an_unreachable_origin_is_a_page_or_a_custom_one() -> None:
    origins = FakeOrigins(portal=[OriginError("gone")])
    assert run(edge(distribution(), origins=origins), request())[0].response.status == 502
    origins = FakeOrigins(portal=[OriginError("late", status=504)])
    assert run(edge(distribution(), origins=origins), request())[0].response.status == 504
    rule = ErrorResponse(502, 0, page="/sorry.html")
    origins = FakeOrigins(portal=[OriginError("gone"), lambda: answer(200, b"sorry")])
    served, body = run(edge(distribution(errors=(rule,)), origins=origins), request())
    assert (served.response.status, body) == (502, b"sorry")


@pytest.mark.parametrize(
    "first_answer", [OriginError("gone"), lambda: answer(500), lambda: answer(403)]
)
def test_a_group_fails_over_to_its_second_origin(first_answer: Any) -> None:
    origins = FakeOrigins(portal=[first_answer], other=[lambda: answer(200, b"second")])
    functions = FakeFunctions(origin_request=unchanged)
    made = edge(distribution(behaviour("/a", "origin-request", target="group")), functions, origins)
    assert run(made, request())[1] == b"second"
    # "The function can be triggered twice for a single viewer request."
    assert functions.called() == ["origin-request"] * 2


def test_a_functions_own_answer_is_no_reason_to_fail_over() -> None:
    functions = FakeFunctions(origin_request=lambda _: {"status": "403"})
    made = edge(distribution(behaviour("/a", "origin-request", target="group")), functions)
    assert run(made, request())[0].response.status == 403
    assert functions.called() == ["origin-request"]


def test_a_group_does_not_fail_over_for_other_statuses_and_methods() -> None:
    origins = FakeOrigins(portal=[lambda: answer(404, b"no")], other=[lambda: answer(200, b"yes")])
    made = edge(distribution(behaviour("/a", target="group")), origins=origins)
    assert run(made, request())[1] == b"no"
    origins = FakeOrigins(portal=[lambda: answer(500, b"no")], other=[lambda: answer(200, b"yes")])
    made = edge(distribution(behaviour("/a", target="group")), origins=origins)
    assert run(made, request(method="POST"))[1] == b"no"


def expire(made: Edge) -> None:
    for entry in made.store._entries.values():
        entry.expires = entry.stored - 1


def test_an_expired_page_is_asked_after_and_kept_on_304() -> None:
    origins = FakeOrigins(
        portal=[lambda: answer(200, b"x", etag='"1"', last_modified="then"), lambda: answer(304)]
    )
    made = edge(distribution(), origins=origins)
    run(made, request())
    expire(made)
    served, body = run(made, request())
    assert (served.response.status, body) == (200, b"x")
    assert x_cache(served) == "RefreshHit from cloudfront"
    asked = origins.requests[1][1]
    assert h.joined(asked.headers, "if-none-match") == '"1"'
    assert h.joined(asked.headers, "if-modified-since") == "then"
    assert x_cache(run(made, request())[0]) == "Hit from cloudfront"


def test_what_the_viewer_has_is_not_taken_for_what_is_kept() -> None:
    origins = FakeOrigins(
        portal=[lambda: answer(200, b"x", etag='"1"'), lambda: answer(200, b"y", etag='"2"')]
    )
    made = edge(distribution(), origins=origins)
    run(made, request())
    expire(made)
    run(made, request(if_none_match='"2"'))
    assert h.joined(origins.requests[1][1].headers, "if-none-match") == '"1"'
    # A kept page without a validator cannot be confirmed by a 304 to the viewer's own.
    origins = FakeOrigins(portal=[lambda: answer(200, b"x"), lambda: answer(304)])
    made = edge(distribution(), origins=origins)
    run(made, request())
    expire(made)
    served, _ = run(made, request(if_none_match='"2"'))
    assert (served.response.status, x_cache(served)) == (304, "Miss from cloudfront")


def test_an_expired_error_is_not_served_again() -> None:
    origins = FakeOrigins(portal=[lambda: answer(404, b"no"), lambda: answer(500, b"worse")])
    made = edge(distribution(), origins=origins)
    run(made, request())
    expire(made)
    assert run(made, request())[0].response.status == 500


@pytest.mark.parametrize("second", [OriginError("gone"), lambda: answer(500, b"no")])
def test_an_expired_page_is_served_while_the_origin_fails(second: Any) -> None:
    origins = FakeOrigins(portal=[lambda: answer(200, b"x"), second])
    made = edge(distribution(), origins=origins)
    run(made, request())
    expire(made)
    assert run(made, request())[1] == b"x"


def test_the_response_headers_policy_applies_to_every_response() -> None:
    policy = ResponseHeadersPolicy("id", added=(("X-Frame-Options", "DENY", True),))
    functions = FakeFunctions(viewer_request=lambda _: {"status": "401"})
    made = edge(distribution(behaviour("/a", "viewer-request", response_headers=policy)), functions)
    assert h.joined(run(made, request())[0].response.headers, "x-frame-options") == "DENY"


def test_a_viewer_response_function_is_not_called_for_an_error() -> None:
    functions = FakeFunctions(viewer_response=unchanged)
    origins = FakeOrigins(portal=[lambda: answer(500, b"no")])
    made = edge(distribution(behaviour("/a", "viewer-response")), functions, origins)
    assert run(made, request())[0].response.status == 500
    assert functions.called() == []


def test_a_viewer_response_function_is_not_called_for_an_error_that_a_function_made() -> None:
    functions = FakeFunctions(origin_request=lambda _: {"status": "401"}, viewer_response=unchanged)
    made = edge(distribution(behaviour("/a", "origin-request", "viewer-response")), functions)
    assert run(made, request())[0].response.status == 401
    assert functions.called() == ["origin-request"]


def test_cookies_of_the_origin_pass_only_where_cookies_are_forwarded() -> None:
    origins = FakeOrigins(portal=[lambda: answer(200, b"x", set_cookie="a=1")])
    made = edge(distribution(behaviour("/a")), origins=origins)
    assert "set-cookie" not in run(made, request())[0].response.headers


def test_a_new_deployment_empties_the_cache() -> None:
    origins = FakeOrigins(portal=[lambda: answer(200, b"old"), lambda: answer(200, b"new")])
    made = edge(distribution(), origins=origins)
    assert run(made, request())[1] == b"old"
    made.deploy(replace(distribution(), id="E1"))
    assert run(made, request())[1] == b"new"


def test_one_visitors_cookie_never_reaches_another() -> None:
    functions = FakeFunctions(
        viewer_response=lambda cf: {
            **cf["response"],
            "headers": {**cf["response"]["headers"], "set-cookie": [{"value": "mine"}]},
        }
    )
    origins = FakeOrigins(portal=[lambda: answer(200, b"x")])
    made = edge(distribution(behaviour("/a", "viewer-response", cache=KEPT)), functions, origins)
    run(made, request())
    (entry,) = made.store._entries.values()
    assert "set-cookie" not in entry.response.headers
