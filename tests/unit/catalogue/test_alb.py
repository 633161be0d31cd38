"""Events and results of an Application Load Balancer, by "Lambda functions as targets"."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogue import alb
from catalogue.errors import RequestError, TooLargeError
from catalogue.http import Response
from tests.support.paths import ROOT

SEARCH = json.loads((ROOT / "events" / "catalogue" / "search.json").read_text())
CHANGE = json.loads((ROOT / "events" / "catalogue" / "change.json").read_text())


def test_path_and_query_stay_as_sent() -> None:
    request = alb.parse(SEARCH | {"path": "/catalogue/courses/a%2Fb"})
    assert request.path == "/catalogue/courses/a%2Fb"
    assert request.query == "q=To%C3%A1n+cao&language=vi"
    assert request.headers["x-forwarded-proto"] == "https"


def test_single_value_event_gives_the_same_request() -> None:
    single = {name: value for name, value in SEARCH.items() if not name.startswith("multiValue")}
    single["headers"] = {name: it[0] for name, it in SEARCH["multiValueHeaders"].items()}
    query = SEARCH["multiValueQueryStringParameters"]
    single["queryStringParameters"] = {name: it[0] for name, it in query.items()}
    assert alb.parse(single) == alb.parse(SEARCH)


def test_base64_body_is_decoded() -> None:
    assert alb.parse(CHANGE).body == b'{"language":"en"}'


def test_repeated_parameter_arrives_twice() -> None:
    event = SEARCH | {"multiValueQueryStringParameters": {"q": ["a", "b"]}}
    assert alb.parse(event).query == "q=a&q=b"


@pytest.mark.parametrize("event", [{}, {"httpMethod": "GET"}, {"httpMethod": 1, "path": "/"}])
def test_event_of_another_service_is_refused(event: dict[str, object]) -> None:
    with pytest.raises(RequestError) as caught:
        alb.parse(event)
    assert caught.value.code == "event_malformed"


def test_body_over_1_mb_is_refused() -> None:
    event = SEARCH | {"body": "a" * 1_000_001}
    with pytest.raises(TooLargeError):
        alb.parse(event)
    assert len(alb.parse(SEARCH | {"body": "a" * 1_000_000}).body) == 1_000_000


def test_body_with_invalid_base64_is_refused() -> None:
    with pytest.raises(RequestError):
        alb.parse(CHANGE | {"body": "é"})


@given(st.binary(max_size=100))
def test_binary_body_arrives_unchanged(body: bytes) -> None:
    event = CHANGE | {"body": base64.b64encode(body).decode()}
    assert alb.parse(event).body == body


def test_result_has_the_documented_members() -> None:
    result = alb.result(Response(304, {"ETag": '"a"'}, ""))
    assert result == {
        "statusCode": 304,
        "statusDescription": "304 Not Modified",
        "isBase64Encoded": False,
        "headers": {"ETag": '"a"'},
        "multiValueHeaders": {"ETag": ['"a"']},
        "body": "",
    }


def test_answer_over_the_limit_is_refused() -> None:
    with pytest.raises(TooLargeError):
        alb.result(Response(200, {}, "é" * 500_000))
