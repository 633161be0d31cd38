"""The operations that query the data lake: direct integrations with Athena for operators."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.rest_api.integration_request import build_integration_request
from aws_emulator.rest_api.model import Request
from tests import strategies
from tests.support import school_api
from tests.unit.school_api.test_mapping_templates import SUB, context, method_of
from tests.unit.school_api.test_operators import received

START = "/operator/queries"
STATE = "/operator/queries/{query}"
ROWS = "/operator/queries/{query}/rows"
SAVED = "/operator/saved-queries"
ONE = "/operator/saved-queries/{query}"
#: Queries of the home's lake, and of another Region's.
STARTS = (START, "/operator/lakes/further-1/queries")
ACTIONS = {
    ("POST", START): "StartQueryExecution",
    ("GET", STATE): "GetQueryExecution",
    ("GET", ROWS): "GetQueryResults",
    ("GET", SAVED): "ListNamedQueries",
    ("GET", ONE): "GetNamedQuery",
    ("POST", STARTS[1]): "StartQueryExecution",
    ("GET", f"{STARTS[1]}/{{query}}"): "GetQueryExecution",
    ("GET", f"{STARTS[1]}/{{query}}/rows"): "GetQueryResults",
}
ID = "0b0e7a94-3c9c-4f6e-9a3e-0d4a2c7b9f10"
GROUPS = st.sampled_from(["", "staff", "operators", "paying,operators", "operatorsless"])


def sent(method: str, path: str, groups: str, body: Any = None, **params: str) -> Any:
    """Return the body of the request to Athena."""
    request = Request(method, path, body=b"" if body is None else json.dumps(body).encode())
    where: dict[str, dict[str, str]] = {"path": params, "querystring": {}, "header": {}}
    integration = method_of(method, path).integration
    service = integration.service
    assert service is not None
    region = school_api.FURTHER[0] if "further-1" in path else school_api.HOME
    assert (service.name, service.region, service.path) == ("athena", region, "/")
    assert service.role == school_api.OPERATORS_ROLE_ARN
    claims = {"cognito:groups": groups}
    built = build_integration_request(integration, request, where, context(request, SUB, **claims))
    assert dict(built.headers) == {
        "X-Amz-Target": f"AmazonAthena.{ACTIONS[method, path]}",
        "Content-Type": "application/x-amz-json-1.1",
    }
    return json.loads(built.body)


def is_operator(groups: str) -> bool:
    return "operators" in groups.split(",")


@pytest.mark.parametrize("path", STARTS)
@given(groups=GROUPS, sql=strategies.api_texts.filter(bool))
def test_query_of_other_caller_is_one_that_athena_refuses(path: str, groups: str, sql: str) -> None:
    body = sent("POST", path, groups, {"requestId": ID, "sql": sql})
    assert body == {
        # StartQueryExecution, QueryString: "Minimum length of 1".
        "QueryString": sql if is_operator(groups) else "",
        "ClientRequestToken": ID,
        "WorkGroup": "meridian-test",
        "QueryExecutionContext": {"Catalog": "AwsDataCatalog", "Database": "meridian_test"},
    }


@pytest.mark.parametrize(
    ("path", "name"),
    [
        *((f"{it}/{{query}}{end}", "QueryExecutionId") for it in STARTS for end in ("", "/rows")),
        (ONE, "NamedQueryId"),
    ],
)
@given(groups=GROUPS, query=st.just(ID) | strategies.api_texts)
def test_id_of_other_caller_or_form_is_empty(path: str, name: str, groups: str, query: str) -> None:
    body = sent("GET", path, groups, query=query)
    is_valid = is_operator(groups) and re.fullmatch(r"[0-9a-f-]{36}", query, re.ASCII)
    assert body[name] == (query if is_valid else "")


@given(GROUPS)
def test_saved_queries_of_other_caller_are_a_page_that_athena_refuses(groups: str) -> None:
    # ListNamedQueries, MaxResults: "Maximum value of 50".
    expected = 50 if is_operator(groups) else 51
    body = sent("GET", SAVED, groups)
    assert body == {"WorkGroup": "meridian-test", "MaxResults": expected}


@pytest.mark.parametrize(("method", "path"), ACTIONS)
@given(message=strategies.api_texts)
def test_refusal_of_athena_returns_its_message(method: str, path: str, message: str) -> None:
    for key in ("Message", "message"):
        invalid = {"__type": "InvalidRequestException", key: message}
        status, problem = received(path, 400, invalid, method=method)
        assert (status, problem["code"], problem["detail"]) == (400, "query_invalid", message)
        status, problem = received(path, 400, invalid, "staff", method)
        assert (status, problem["code"]) == (403, "not_operator")
        assert message == "" or problem["detail"] != message
    throttled = {"__type": "TooManyRequestsException", "message": message}
    status, problem = received(path, 400, throttled, method=method)
    assert (status, problem["code"], problem["status"]) == (503, "unavailable", 503)


@given(strategies.api_texts, st.none() | st.integers(0, 10**12))
def test_state_has_reason_and_bytes(reason: str, scanned: int | None) -> None:
    statistics: dict[str, int] = {} if scanned is None else {"DataScannedInBytes": scanned}
    status = {"State": "FAILED", "StateChangeReason": reason}
    answer = {"QueryExecution": {"Status": status, "Statistics": statistics}}
    expected: dict[str, Any] = {"state": "FAILED", "reason": reason}
    expected |= {} if scanned is None else {"scannedBytes": scanned}
    for path in STARTS:
        assert received(f"{path}/{{query}}", 200, answer) == (200, expected)


@given(
    st.lists(st.lists(st.none() | strategies.api_texts, min_size=2, max_size=2), max_size=3),
    st.booleans(),
)
def test_rows_have_all_values(rows: list[list[str | None]], more: bool) -> None:
    columns = [{"Name": "a", "Type": "varchar"}, {"Name": "b", "Type": "bigint"}]
    # A value of null is a Datum without VarCharValue.
    data = [{"Data": [{} if it is None else {"VarCharValue": it} for it in row]} for row in rows]
    result = {"ResultSetMetadata": {"ColumnInfo": columns}, "Rows": data}
    answer = {"ResultSet": result} | ({"NextToken": "next"} if more else {})
    expected = {
        "columns": [{"name": "a", "type": "varchar"}, {"name": "b", "type": "bigint"}],
        "rows": [[it or "" for it in row] for row in rows],
        "more": more,
    }
    for path in STARTS:
        assert received(f"{path}/{{query}}/rows", 200, answer) == (200, expected)


@given(strategies.api_texts)
def test_saved_query_has_its_text(sql: str) -> None:
    named = {"Name": "pages", "Description": sql, "QueryString": sql, "NamedQueryId": ID}
    expected = {"name": "pages", "description": sql, "sql": sql}
    assert received(ONE, 200, {"NamedQuery": named}) == (200, expected)
    assert received(SAVED, 200, {"NamedQueryIds": [ID, ID]}) == (200, {"queryIds": [ID, ID]})
