"""Any result of a function is applied legally, or refused with 502."""

import base64
import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.cloudfront import headers as h
from aws_emulator.cloudfront.errors import ResultInvalidError
from aws_emulator.cloudfront.events import request_event
from aws_emulator.cloudfront.model import Association, EventType, Origin, Request, Response, Viewer
from aws_emulator.cloudfront.resultresponse import RESPONSE_LIMIT
from aws_emulator.cloudfront.results import (
    BASE64_BODY_LIMIT,
    Changed,
    Generated,
    apply_changed,
    check_request_result,
    check_response_result,
)
from aws_emulator.tests import strategies
from aws_emulator.tests.cloudfront.test_events import BUCKET_ORIGIN, DISTRIBUTION, EXAMPLE_ORIGIN

VIEWER = Association("viewer-request", "arn", include_body=True)
ORIGIN = Association("origin-request", "arn", include_body=True)


def shown(
    association: Association = VIEWER,
    request: Request | None = None,
    origin: Origin | None = None,
) -> dict[str, Any]:
    """The request that an event shows."""
    if request is None:
        request = Request(
            "POST", "/a", "b=c", h.collect([("Host", "x"), ("Content-Length", "2")]), b"hi"
        )
    event = request_event(DISTRIBUTION, association, "id", request, Viewer("192.0.2.1"), origin)
    found: dict[str, Any] = event["Records"][0]["cf"]["request"]
    return found


def check(result: Any, sent: dict[str, Any] | None = None) -> Generated | Changed:
    return check_request_result(result, sent or shown(), VIEWER)


def change(**fields: Any) -> dict[str, Any]:
    return {**shown(), **fields}


def with_headers(**entries: Any) -> dict[str, Any]:
    named = {name.replace("_", "-"): value for name, value in entries.items()}
    return change(headers={**shown()["headers"], **named})


@given(
    strategies.edge_requests(),
    st.data(),
    st.sampled_from(["viewer-request", "origin-request"]),
    st.booleans(),
    st.sampled_from([EXAMPLE_ORIGIN, BUCKET_ORIGIN]),
)
def test_any_result_is_applied_legally_or_refused(
    request: Request, data: st.DataObject, event_type: EventType, body: bool, origin: Origin
) -> None:
    association = Association(event_type, "arn", include_body=body)
    at = origin if event_type == "origin-request" else None
    sent = shown(association, request, at)
    result = data.draw(strategies.edge_results(sent))
    try:
        checked = check_request_result(result, sent, association, at)
    except ResultInvalidError:
        return
    headers = checked.response.headers if isinstance(checked, Generated) else checked.headers
    assert all(h.is_name(name) and not h.is_disallowed(name) for name in headers)
    assert all(h.is_value(value) for _, value in h.flatten(headers))
    if isinstance(checked, Generated):
        assert 200 <= checked.response.status <= 599
        assert not (checked.response.status == 204 and checked.response.body)
        assert not h.READ_ONLY[event_type] & headers.keys()
        return
    for name in h.READ_ONLY[event_type]:
        assert h.joined(headers, name) == h.joined(request.headers, name)
    assert checked.uri.startswith("/")
    changed = apply_changed(request, checked)
    assert (changed.method, changed.uri) == (request.method, checked.uri)
    assert h.hidden(changed.headers) == h.hidden(request.headers)


@given(strategies.edge_requests(), st.booleans())
def test_a_request_that_comes_back_as_it_was_goes_on_as_it_was(
    request: Request, body: bool
) -> None:
    for association, origin in ((VIEWER, None), (ORIGIN, BUCKET_ORIGIN), (ORIGIN, EXAMPLE_ORIGIN)):
        sent = shown(association, request, origin)
        checked = check_request_result(copy.deepcopy(sent), sent, association, origin)
        assert isinstance(checked, Changed)
        assert checked.origin == origin
        assert apply_changed(request, checked) == request


@given(st.data())
def test_any_result_of_a_response_function_is_applied_legally_or_refused(
    data: st.DataObject,
) -> None:
    event_type: EventType = data.draw(st.sampled_from(["origin-response", "viewer-response"]))
    association = Association(event_type, "arn")
    sent = {"status": "200", "statusDescription": "OK", "headers": {"via": [{"value": "1.1 x"}]}}
    result = data.draw(strategies.edge_results(copy.deepcopy(sent)))
    try:
        response, _ = check_response_result(result, sent, association)
    except ResultInvalidError:
        return
    assert h.joined(response.headers, "via") == "1.1 x"
    assert 200 <= response.status <= 599
    if event_type == "viewer-response":
        assert response.status == 200


REFUSED: dict[str, tuple[Any, str]] = {
    "null": (None, "NotAnObject"),
    "a list": ([], "NotAnObject"),
    "a string": ("passed", "NotAnObject"),
    "an empty object": ({}, "MethodReadOnly"),
    "no uri": ({k: v for k, v in shown().items() if k != "uri"}, "NotAString"),
    "a uri without a slash": (change(uri="a"), "BadUri"),
    "an empty uri": (change(uri=""), "BadUri"),
    "a uri with a space": (change(uri="/a b"), "BadUri"),
    "a uri with a query": (change(uri="/a?b"), "BadUri"),
    "a uri with a line break": (change(uri="/a\r\nX: y"), "BadUri"),
    "a uri that is no text": (change(uri="/\ud800"), "NotAString"),
    "a query with a space": (change(querystring="a b"), "BadQuerystring"),
    "a query with a fragment": (change(querystring="a#b"), "BadQuerystring"),
    "a query with a control character": (change(querystring="a\x01"), "BadQuerystring"),
    "a query that is an object": (change(querystring={"a": "b"}), "NotAString"),
    "another method": (change(method="GET"), "MethodReadOnly"),
    "another client address": (change(clientIp="192.0.2.9"), "ClientIpReadOnly"),
    "no headers": ({k: v for k, v in shown().items() if k != "headers"}, "BadHeaders"),
    "host deleted": (change(headers={}), "HeaderReadOnly"),
    "host changed": (with_headers(host=[{"value": "y"}]), "HeaderReadOnly"),
    "host twice": (with_headers(host=[{"value": "x"}, {"value": "x"}]), "HeaderReadOnly"),
    "via added": (with_headers(via=[{"value": "1.1 y"}]), "HeaderReadOnly"),
    "transfer-encoding added": (
        with_headers(transfer_encoding=[{"value": "chunked"}]),
        "HeaderReadOnly",
    ),
    "cdn-loop added": (with_headers(cdn_loop=[{"value": "x"}]), "HeaderReadOnly"),
    "country added": (with_headers(cloudfront_viewer_country=[{"value": "IN"}]), "HeaderReadOnly"),
    "connection added": (with_headers(connection=[{"value": "close"}]), "Disallowed"),
    "x-edge added": (with_headers(x_edge_anything=[{"value": "1"}]), "Disallowed"),
    "x-amz-cf added": (with_headers(x_amz_cf_id=[{"value": "1"}]), "Disallowed"),
    "x-cache added": (with_headers(x_cache=[{"value": "Hit"}]), "Disallowed"),
    "set-cookie on a request": (with_headers(set_cookie=[{"value": "a=1"}]), "Disallowed"),
    "a name in capitals": (with_headers(Accept=[{"value": "*/*"}]), "BadHeaders"),
    "a name with a space": (change(headers={**shown()["headers"], "a b": []}), "BadHeaders"),
    "a key of another name": (with_headers(a=[{"key": "b", "value": "1"}]), "BadHeaders"),
    "a value with a line break": (with_headers(a=[{"value": "1\r\nb: 2"}]), "BadHeaders"),
    "a value that is a number": (with_headers(a=[{"value": 1}]), "NotAString"),
    "no value": (with_headers(a=[{"key": "a"}]), "NotAString"),
    "no list": (with_headers(a="1"), "BadHeaders"),
    "an empty list": (with_headers(a=[]), "BadHeaders"),
    "a list of strings": (with_headers(a=["1"]), "BadHeaders"),
    "status below": ({"status": "199"}, "BadStatus"),
    "status above": ({"status": "600"}, "BadStatus"),
    "status null": ({"status": None}, "BadStatus"),
    "status true": ({"status": True}, "BadStatus"),
    "status with a space": ({"status": "200 "}, "BadStatus"),
    "status in other digits": ({"status": "٢٠٠"}, "BadStatus"),
    "a line break in the description": (
        {"status": "200", "statusDescription": "OK\r\nX: y"},
        "BadStatus",
    ),
    "204 with a body": ({"status": "204", "body": "x"}, "BodyNotAllowed"),
    "an encoding of its own": ({"status": "200", "bodyEncoding": "gzip"}, "BadEncoding"),
    "no base64": ({"status": "200", "body": "a", "bodyEncoding": "base64"}, "BadEncoding"),
    "a body that is an object": ({"status": "200", "body": {}}, "NotAString"),
    "a length of its own": (
        {"status": "200", "headers": {"content-length": [{"value": "1"}]}},
        "HeaderReadOnly",
    ),
    "a replaced body of an unknown encoding": (
        change(body={"action": "replace", "encoding": "hex", "data": "00"}),
        "BadEncoding",
    ),
    "a replaced body that is no base64": (
        change(body={"action": "replace", "encoding": "base64", "data": "!"}),
        "BadEncoding",
    ),
    "an unknown action": (change(body={"action": "append"}), "BadBody"),
    "inputTruncated changed": (change(body={"inputTruncated": True}), "BadBody"),
    "a body that is a string": (change(body="x"), "BadBody"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cloudfront_refuses_is_refused(case: str) -> None:
    result, code = REFUSED[case]
    with pytest.raises(ResultInvalidError) as caught:
        check(result)
    assert (caught.value.status, caught.value.code) == (502, code)


ALLOWED: dict[str, dict[str, Any]] = {
    "a status alone": {"status": "200"},
    "a status as a number": {"status": 302},
    "the least status": {"status": "200"},
    "the highest status": {"status": "599"},
    "204 with an empty body": {"status": "204", "body": ""},
    "a header without a key": {"status": "200", "headers": {"x-a": [{"value": "1"}]}},
    "cookies": {"status": "302", "headers": {"set-cookie": [{"value": "a"}, {"value": "b"}]}},
    "another path": change(uri="/other/é"),
    "another query": change(querystring="x=%20"),
    "no query": change(querystring=""),
    "an ordinary header": with_headers(x_own=[{"key": "X-Own", "value": "1"}]),
    "a body read only": change(body={"action": "read-only", "data": "ignored"}),
}


@pytest.mark.parametrize("case", ALLOWED)
def test_what_cloudfront_takes_is_taken(case: str) -> None:
    checked = check(ALLOWED[case])
    assert isinstance(checked, Generated if "status" in ALLOWED[case] else Changed)


def test_a_header_without_a_key_gets_initial_capitals() -> None:
    checked = check({"status": "200", "headers": {"x-own-name": [{"value": "1"}]}})
    assert isinstance(checked, Generated)
    assert checked.response.headers == {"x-own-name": [("X-Own-Name", "1")]}


@pytest.mark.parametrize("event_type", RESPONSE_LIMIT)
@pytest.mark.parametrize("over", [0, 1])
def test_a_response_one_byte_past_its_limit_is_refused(event_type: EventType, over: int) -> None:
    association = Association(event_type, "arn")
    header = {"x-a": [{"key": "x-a", "value": "1"}]}
    # "x-a: 1\r\n" counts.
    body = "x" * (RESPONSE_LIMIT[event_type] - 8 + over)
    result: dict[str, Any] = {"status": "200", "headers": header, "body": body}

    def run() -> int:
        if event_type.endswith("-request"):
            checked = check_request_result(result, shown(), association)
            assert isinstance(checked, Generated)
            return len(checked.response.body or b"")
        sent = {"status": "200", "headers": {}}
        if event_type == "viewer-response":
            # It may not set a body: its headers alone are counted.
            value = "1" * (RESPONSE_LIMIT[event_type] - 7 + over)
            result.update(body=None, headers={"x-a": [{"key": "x-a", "value": value}]})
        return len(check_response_result(result, sent, association)[0].body or b"")

    if over:
        with pytest.raises(ResultInvalidError, match="over the") as caught:
            run()
        assert caught.value.code == "TooLarge"
    else:
        run()


def test_the_response_limits_are_those_of_the_page() -> None:
    assert RESPONSE_LIMIT["viewer-request"] == RESPONSE_LIMIT["viewer-response"] == 40_960
    assert RESPONSE_LIMIT["origin-request"] == RESPONSE_LIMIT["origin-response"] == 1_048_576


@pytest.mark.parametrize(
    ("association", "encoding", "limit"),
    [
        (VIEWER, "text", 40_960),
        (ORIGIN, "text", 1_048_576),
        (VIEWER, "base64", BASE64_BODY_LIMIT["viewer-request"] // 4 * 4),
        (ORIGIN, "base64", BASE64_BODY_LIMIT["origin-request"] // 4 * 4),
    ],
)
def test_a_replaced_body_past_its_limit_is_refused(
    association: Association, encoding: str, limit: int
) -> None:
    origin = EXAMPLE_ORIGIN if association is ORIGIN else None
    sent = shown(association, origin=origin)
    step = 4 if encoding == "base64" else 1
    for length, fits in ((limit, True), (limit + step, False)):
        body = {"action": "replace", "encoding": encoding, "data": "A" * length}
        result = {**sent, "body": body}
        if fits:
            checked = check_request_result(result, sent, association, origin)
            assert isinstance(checked, Changed)
            assert checked.body == (b"A" * length if step == 1 else base64.b64decode("A" * length))
        else:
            with pytest.raises(ResultInvalidError, match="too large"):
                check_request_result(result, sent, association, origin)


@pytest.mark.parametrize(("length", "fits"), [(8_191, True), (8_192, False)])
def test_a_uri_of_8192_characters_is_refused(length: int, fits: bool) -> None:
    result = change(uri="/" + "a" * (length - 4), querystring="qq")
    if fits:
        assert isinstance(check(result), Changed)
    else:
        with pytest.raises(ResultInvalidError, match="8,192"):
            check(result)


def test_a_body_without_include_body_is_refused() -> None:
    association = Association("viewer-request", "arn")
    sent = shown(association)
    with pytest.raises(ResultInvalidError):
        check_request_result({**sent, "body": {"action": "replace"}}, sent, association)


def test_a_replaced_body_brings_its_length() -> None:
    request = Request(
        "POST", "/a", "b=c", h.collect([("Host", "x"), ("Content-Length", "2")]), b"hi"
    )
    checked = check(change(body={"action": "replace", "encoding": "text", "data": "longer"}))
    assert isinstance(checked, Changed)
    changed = apply_changed(request, checked)
    assert (changed.body, h.first(changed.headers, "content-length")) == (b"longer", "6")


def test_an_origin_response_may_change_status_and_body() -> None:
    sent = {"status": "404", "statusDescription": "Not Found", "headers": {}}
    result = {"status": 200, "headers": {}, "body": "found after all"}
    response, replaces = check_response_result(result, sent, Association("origin-response", "arn"))
    assert (response.status, response.body, replaces) == (200, b"found after all", True)


def test_a_viewer_response_may_not_change_the_status() -> None:
    sent = {"status": "200", "headers": {}}
    with pytest.raises(ResultInvalidError, match="status"):
        check_response_result({"status": "201"}, sent, Association("viewer-response", "arn"))


def test_what_came_out_is_never_what_was_put_in() -> None:
    response = Response(200, {"a": [("A", "1")]})
    copied = h.copy(response.headers)
    copied["a"].append(("A", "2"))
    assert response.headers == {"a": [("A", "1")]}
