"""Tests of validating function results."""

import base64
import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.cloudfront import headers as h
from aws_emulator.cloudfront.edge_functions.event import request_event
from aws_emulator.cloudfront.edge_functions.result import (
    MAX_BASE64_BODY_BYTES,
    GeneratedResponse,
    ModifiedRequest,
    apply_modified_request,
    check_request_result,
    check_response_result,
)
from aws_emulator.cloudfront.edge_functions.result_response import MAX_RESPONSE_BYTES
from aws_emulator.cloudfront.errors import FunctionResultError
from aws_emulator.cloudfront.model import (
    EventType,
    FunctionAssociation,
    Origin,
    Request,
    Response,
    Viewer,
)
from aws_emulator.tests.cloudfront import strategies
from aws_emulator.tests.cloudfront.test_function_event import (
    BUCKET_ORIGIN,
    DISTRIBUTION,
    EXAMPLE_ORIGIN,
)

VIEWER = FunctionAssociation("viewer-request", "arn", include_body=True)
ORIGIN = FunctionAssociation("origin-request", "arn", include_body=True)


def shown(
    association: FunctionAssociation = VIEWER,
    request: Request | None = None,
    origin: Origin | None = None,
) -> dict[str, Any]:
    """Return the request of an event."""
    if request is None:
        request = Request(
            "POST", "/a", "b=c", h.collect([("Host", "x"), ("Content-Length", "2")]), b"hi"
        )
    event = request_event(DISTRIBUTION, association, "id", request, Viewer("192.0.2.1"), origin)
    request_fields: dict[str, Any] = event["Records"][0]["cf"]["request"]
    return request_fields


def check(result: Any, sent: dict[str, Any] | None = None) -> GeneratedResponse | ModifiedRequest:
    return check_request_result(result, sent or shown(), VIEWER)


def change(**fields: Any) -> dict[str, Any]:
    return {**shown(), **fields}


def with_headers(**entries: Any) -> dict[str, Any]:
    named = {name.replace("_", "-"): value for name, value in entries.items()}
    return change(headers={**shown()["headers"], **named})


@given(
    strategies.viewer_requests(),
    st.data(),
    st.sampled_from(["viewer-request", "origin-request"]),
    st.booleans(),
    st.sampled_from([EXAMPLE_ORIGIN, BUCKET_ORIGIN]),
)
def test_any_request_result_is_valid_or_rejected(
    request: Request, data: st.DataObject, event_type: EventType, body: bool, origin: Origin
) -> None:
    association = FunctionAssociation(event_type, "arn", include_body=body)
    at = origin if event_type == "origin-request" else None
    sent = shown(association, request, at)
    result = data.draw(strategies.function_results(sent))
    try:
        checked = check_request_result(result, sent, association, at)
    except FunctionResultError:
        return
    headers = (
        checked.response.headers if isinstance(checked, GeneratedResponse) else checked.headers
    )
    assert all(h.is_name(name) and not h.is_disallowed(name) for name in headers)
    assert all(h.is_value(value) for _, value in h.flatten(headers))
    if isinstance(checked, GeneratedResponse):
        assert 200 <= checked.response.status <= 599
        assert not (checked.response.status == 204 and checked.response.body)
        assert not h.READ_ONLY[event_type] & headers.keys()
        return
    for name in h.READ_ONLY[event_type]:
        assert h.joined(headers, name) == h.joined(request.headers, name)
    assert checked.uri.startswith("/")
    changed = apply_modified_request(request, checked)
    assert (changed.method, changed.uri) == (request.method, checked.uri)
    assert h.hidden(changed.headers) == h.hidden(request.headers)


@given(strategies.viewer_requests(), st.booleans())
def test_unchanged_request_result_changes_nothing(request: Request, body: bool) -> None:
    for association, origin in ((VIEWER, None), (ORIGIN, BUCKET_ORIGIN), (ORIGIN, EXAMPLE_ORIGIN)):
        sent = shown(association, request, origin)
        checked = check_request_result(copy.deepcopy(sent), sent, association, origin)
        assert isinstance(checked, ModifiedRequest)
        assert checked.origin == origin
        assert apply_modified_request(request, checked) == request


@given(st.data())
def test_any_response_result_is_valid_or_rejected(
    data: st.DataObject,
) -> None:
    event_type: EventType = data.draw(st.sampled_from(["origin-response", "viewer-response"]))
    association = FunctionAssociation(event_type, "arn")
    sent = {"status": "200", "statusDescription": "OK", "headers": {"via": [{"value": "1.1 x"}]}}
    result = data.draw(strategies.function_results(copy.deepcopy(sent)))
    try:
        response, _ = check_response_result(result, sent, association)
    except FunctionResultError:
        return
    assert h.joined(response.headers, "via") == "1.1 x"
    assert 200 <= response.status <= 599
    if event_type == "viewer-response":
        assert response.status == 200


REJECTED: dict[str, tuple[Any, str]] = {
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
    "a uri that isn't text": (change(uri="/\ud800"), "NotAString"),
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
    "an unknown encoding": ({"status": "200", "bodyEncoding": "gzip"}, "BadEncoding"),
    "invalid base64": ({"status": "200", "body": "a", "bodyEncoding": "base64"}, "BadEncoding"),
    "a body that is an object": ({"status": "200", "body": {}}, "NotAString"),
    "a content-length": (
        {"status": "200", "headers": {"content-length": [{"value": "1"}]}},
        "HeaderReadOnly",
    ),
    "a replaced body of an unknown encoding": (
        change(body={"action": "replace", "encoding": "hex", "data": "00"}),
        "BadEncoding",
    ),
    "a replaced body with invalid base64": (
        change(body={"action": "replace", "encoding": "base64", "data": "!"}),
        "BadEncoding",
    ),
    "an unknown action": (change(body={"action": "append"}), "BadBody"),
    "inputTruncated changed": (change(body={"inputTruncated": True}), "BadBody"),
    "a body that is a string": (change(body="x"), "BadBody"),
}


@pytest.mark.parametrize("case", REJECTED)
def test_result_is_rejected(case: str) -> None:
    result, code = REJECTED[case]
    with pytest.raises(FunctionResultError) as caught:
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
def test_result_is_accepted(case: str) -> None:
    checked = check(ALLOWED[case])
    assert isinstance(checked, GeneratedResponse if "status" in ALLOWED[case] else ModifiedRequest)


def test_header_without_key_is_title_cased() -> None:
    checked = check({"status": "200", "headers": {"x-own-name": [{"value": "1"}]}})
    assert isinstance(checked, GeneratedResponse)
    assert checked.response.headers == {"x-own-name": [("X-Own-Name", "1")]}


@pytest.mark.parametrize("event_type", MAX_RESPONSE_BYTES)
@pytest.mark.parametrize("over", [0, 1])
def test_response_over_size_limit_is_rejected(event_type: EventType, over: int) -> None:
    association = FunctionAssociation(event_type, "arn")
    header = {"x-a": [{"key": "x-a", "value": "1"}]}
    # The size includes the header line "x-a: 1\r\n".
    body = "x" * (MAX_RESPONSE_BYTES[event_type] - 8 + over)
    result: dict[str, Any] = {"status": "200", "headers": header, "body": body}

    def run() -> int:
        if event_type.endswith("-request"):
            checked = check_request_result(result, shown(), association)
            assert isinstance(checked, GeneratedResponse)
            return len(checked.response.body or b"")
        sent = {"status": "200", "headers": {}}
        if event_type == "viewer-response":
            # A viewer-response function can't set a body, so the headers reach the limit.
            value = "1" * (MAX_RESPONSE_BYTES[event_type] - 7 + over)
            result.update(body=None, headers={"x-a": [{"key": "x-a", "value": value}]})
        return len(check_response_result(result, sent, association)[0].body or b"")

    if over:
        with pytest.raises(FunctionResultError, match="over the") as caught:
            run()
        assert caught.value.code == "TooLarge"
    else:
        run()


def test_response_limits_match_quotas() -> None:
    assert MAX_RESPONSE_BYTES["viewer-request"] == MAX_RESPONSE_BYTES["viewer-response"] == 40_960
    assert (
        MAX_RESPONSE_BYTES["origin-request"] == MAX_RESPONSE_BYTES["origin-response"] == 1_048_576
    )


@pytest.mark.parametrize(
    ("association", "encoding", "limit"),
    [
        (VIEWER, "text", 40_960),
        (ORIGIN, "text", 1_048_576),
        (VIEWER, "base64", MAX_BASE64_BODY_BYTES["viewer-request"] // 4 * 4),
        (ORIGIN, "base64", MAX_BASE64_BODY_BYTES["origin-request"] // 4 * 4),
    ],
)
def test_replaced_body_over_limit_is_rejected(
    association: FunctionAssociation, encoding: str, limit: int
) -> None:
    origin = EXAMPLE_ORIGIN if association is ORIGIN else None
    sent = shown(association, origin=origin)
    step = 4 if encoding == "base64" else 1
    for length, fits in ((limit, True), (limit + step, False)):
        body = {"action": "replace", "encoding": encoding, "data": "A" * length}
        result = {**sent, "body": body}
        if fits:
            checked = check_request_result(result, sent, association, origin)
            assert isinstance(checked, ModifiedRequest)
            assert checked.body == (b"A" * length if step == 1 else base64.b64decode("A" * length))
        else:
            with pytest.raises(FunctionResultError, match="too large"):
                check_request_result(result, sent, association, origin)


@pytest.mark.parametrize(("length", "fits"), [(8_191, True), (8_192, False)])
def test_uri_of_8192_characters_is_rejected(length: int, fits: bool) -> None:
    result = change(uri="/" + "a" * (length - 4), querystring="qq")
    if fits:
        assert isinstance(check(result), ModifiedRequest)
    else:
        with pytest.raises(FunctionResultError, match="8,192"):
            check(result)


def test_body_without_include_body_is_rejected() -> None:
    association = FunctionAssociation("viewer-request", "arn")
    sent = shown(association)
    with pytest.raises(FunctionResultError):
        check_request_result({**sent, "body": {"action": "replace"}}, sent, association)


def test_replaced_body_sets_content_length() -> None:
    request = Request(
        "POST", "/a", "b=c", h.collect([("Host", "x"), ("Content-Length", "2")]), b"hi"
    )
    checked = check(change(body={"action": "replace", "encoding": "text", "data": "longer"}))
    assert isinstance(checked, ModifiedRequest)
    changed = apply_modified_request(request, checked)
    assert (changed.body, h.first(changed.headers, "content-length")) == (b"longer", "6")


def test_origin_response_can_change_status_and_body() -> None:
    sent = {"status": "404", "statusDescription": "Not Found", "headers": {}}
    result = {"status": 200, "headers": {}, "body": "found after all"}
    response, replaces = check_response_result(
        result, sent, FunctionAssociation("origin-response", "arn")
    )
    assert (response.status, response.body, replaces) == (200, b"found after all", True)


def test_viewer_response_cannot_change_status() -> None:
    sent = {"status": "200", "headers": {}}
    with pytest.raises(FunctionResultError, match="status"):
        check_response_result(
            {"status": "201"}, sent, FunctionAssociation("viewer-response", "arn")
        )


def test_copied_headers_do_not_share_lists() -> None:
    response = Response(200, {"a": [("A", "1")]})
    copied = h.copy(response.headers)
    copied["a"].append(("A", "2"))
    assert response.headers == {"a": [("A", "1")]}
