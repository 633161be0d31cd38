"""The operations of the operators' page: for the group only, fixed metrics, their own role."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.rest_api.integration_request import build_integration_request
from aws_emulator.rest_api.integration_response import build_method_response
from aws_emulator.rest_api.model import Request, ServiceResponse
from tests import strategies
from tests.support import school_api
from tests.support.paths import ROOT
from tests.unit.school_api.test_mapping_templates import SUB, context, method_of
from tests.unit.stacks.test_alarm_metrics import is_emitted
from tests.unit.stacks.test_templates import resources, statements

FLOWS = {"/operator/flow/home": school_api.HOME, "/operator/flow/ap-south-1": "ap-south-1"}
ALARMS = {
    "/operator/alarms/home": school_api.HOME,
    "/operator/alarms/ap-south-1": "ap-south-1",
    "/operator/alarms/edge": "us-east-1",
}
OPERATIONS = FLOWS | ALARMS
#: Metrics that the services publish by themselves, each with its dimension.
PUBLISHED = {
    ("AWS/ApiGateway", name): "ApiName" for name in ("Count", "4XXError", "5XXError", "Latency")
} | {
    ("AWS/Kinesis", "IncomingRecords"): "StreamName",
    ("AWS/Kinesis", "IncomingBytes"): "StreamName",
    ("AWS/Lambda", "IteratorAge"): "FunctionName",
    ("AWS/Lambda", "Invocations"): "FunctionName",
    ("AWS/Lambda", "Errors"): "FunctionName",
    ("AWS/States", "ExecutionsStarted"): "StateMachineArn",
    ("AWS/States", "ExecutionsSucceeded"): "StateMachineArn",
    ("AWS/States", "ExecutionsFailed"): "StateMachineArn",
}
START = "1790000000"


def sent(path: str, groups: str | None, **query: str) -> tuple[dict[str, str], Any]:
    """Return the headers and the body of the request to CloudWatch."""
    request = Request("GET", path)
    claims = {} if groups is None else {"cognito:groups": groups}
    where: dict[str, dict[str, str]] = {"path": {}, "querystring": query, "header": {}}
    built = build_integration_request(
        method_of("GET", path).integration, request, where, context(request, SUB, **claims)
    )
    return dict(built.headers), json.loads(built.body)


def received(path: str, status: int, body: Any, groups: str = "operators") -> tuple[int, Any]:
    request = Request("GET", path)
    nothing: dict[str, dict[str, str]] = {"path": {}, "querystring": {}, "header": {}}
    answer = build_method_response(
        method_of("GET", path).integration,
        ServiceResponse(status, {}, json.dumps(body).encode()),
        nothing,
        context(request, SUB, **{"cognito:groups": groups}),
    )
    return answer.status, json.loads(answer.body)


@pytest.mark.parametrize(("path", "region"), OPERATIONS.items())
def test_operation_calls_cloudwatch_of_its_region_with_the_operators_role(
    path: str, region: str
) -> None:
    service = method_of("GET", path).integration.service
    assert service is not None
    assert (service.name, service.region, service.path) == ("monitoring", region, "/")
    assert service.role == school_api.OPERATORS_ROLE_ARN
    headers, _ = sent(path, "operators", start=START, period="60")
    action = "GetMetricData" if path in FLOWS else "DescribeAlarms"
    assert headers == {
        "X-Amz-Target": f"GraniteServiceVersion20100801.{action}",
        "Content-Type": "application/x-amz-json-1.0",
    }


@pytest.mark.parametrize("path", FLOWS)
@given(
    groups=st.none() | st.sampled_from(["", "staff", "operatorsless", "operators", "a,operators"]),
    start=st.just(START) | strategies.api_texts,
    period=st.sampled_from(["60", "300", "3600", "0", "61"]) | strategies.api_texts,
)
def test_flow_of_invalid_request_or_other_caller_is_one_that_cloudwatch_refuses(
    path: str, groups: str | None, start: str, period: str
) -> None:
    _, body = sent(path, groups, start=start, period=period)
    valid_start = re.fullmatch(r"1[0-9]{9}", start, re.ASCII)
    allowed = "operators" in (groups or "").split(",") and valid_start
    is_valid = bool(allowed and period in {"60", "300", "3600"})
    # MetricStat, Period: "Valid Range: Minimum value of 1".
    periods = {it["MetricStat"]["Period"] for it in body["MetricDataQueries"]}
    assert periods == {int(period) if is_valid else 0}
    assert body["StartTime"] == (int(start) if is_valid else 0)


@pytest.mark.parametrize(("path", "region"), FLOWS.items())
def test_each_metric_is_one_that_a_service_or_a_function_publishes(path: str, region: str) -> None:
    _, body = sent(path, "operators", start=START, period="60")
    for query in body["MetricDataQueries"]:
        metric = query["MetricStat"]["Metric"]
        (dimension,) = metric["Dimensions"]
        assert "test" in dimension["Value"] or dimension["Name"] == "service"
        if dimension["Name"] == "StateMachineArn":
            assert f":states:{region}:" in dimension["Value"]
        key = (metric["Namespace"], metric["MetricName"])
        if key[0] == "meridian-test":
            assert dimension["Name"] == "service"
            assert is_emitted(key[1])
        else:
            assert PUBLISHED[key] == dimension["Name"]


def test_page_shows_each_metric_and_no_other() -> None:
    page = (ROOT / "web/members/app/operator.html").read_text()
    shown = set(re.findall(r'data-metric="(\w+)"', page)) - {"rows"}
    for path in FLOWS:
        _, body = sent(path, "operators", start=START, period="60")
        named = {it["Id"] for it in body["MetricDataQueries"]}
        assert shown <= named
        # Sizes are for the page's section about the lake.
        assert named - shown == {"bytes", "objects", "written"}


@pytest.mark.parametrize("path", ALARMS)
@given(groups=st.none() | st.sampled_from(["", "staff", "operators"]), after=strategies.api_texts)
def test_alarms_are_those_of_the_stage_and_for_operators_only(
    path: str, groups: str | None, after: str
) -> None:
    _, body = sent(path, groups, after=after)
    allowed = groups == "operators"
    # DescribeAlarms, MaxRecords: "Valid Range: Minimum value of 1".
    assert body["MaxRecords"] == (100 if allowed else 0)
    assert body["AlarmNamePrefix"] == "meridian-test-"
    assert body.get("NextToken") == (after if allowed and after else None)


@pytest.mark.parametrize("path", OPERATIONS)
@pytest.mark.parametrize(
    ("groups", "kind", "expected"),
    [
        ("staff", "ValidationError", (403, "not_operator")),
        ("operators", "com.amazonaws.cloudwatch#ValidationError", (400, "parameters_invalid")),
        (
            "operators",
            "com.amazonaws.cloudwatch#InvalidParameterValue",
            (400, "parameters_invalid"),
        ),
        ("operators", "ThrottlingException", (503, "unavailable")),
    ],
)
def test_refusal_of_cloudwatch_returns_its_reason(
    path: str, groups: str, kind: str, expected: tuple[int, str]
) -> None:
    status, problem = received(path, 400, {"__type": kind}, groups)
    assert (status, problem["code"]) == expected
    assert problem["status"] == status


@given(
    st.dictionaries(
        st.sampled_from(["requests", "lag", "good"]),
        st.lists(st.tuples(st.integers(10**9, 2 * 10**9), st.floats(0, 1e12)), max_size=4),
    )
)
def test_flow_has_all_values(metrics: dict[str, list[tuple[int, float]]]) -> None:
    results = [
        {"Id": name, "Timestamps": [it[0] for it in points], "Values": [it[1] for it in points]}
        for name, points in metrics.items()
    ]
    for path, region in FLOWS.items():
        status, body = received(path, 200, {"MetricDataResults": results})
        expected = {
            name: {"times": [it[0] for it in points], "values": [it[1] for it in points]}
            for name, points in metrics.items()
        }
        assert (status, body) == (200, {"regionName": region, "metrics": expected})


@given(
    st.lists(
        st.tuples(
            *[strategies.api_texts] * 3,
            st.sampled_from(["OK", "ALARM", "INSUFFICIENT_DATA"]),
            st.integers(10**9, 2 * 10**9),
        ),
        max_size=3,
    ),
    strategies.api_texts,
)
def test_page_of_alarms_has_all_of_them(
    alarms: list[tuple[str, str, str, str, int]], token: str
) -> None:
    described = [
        {
            "AlarmName": name,
            "StateReason": reason,
            "AlarmDescription": description,
            "StateValue": state,
            "StateUpdatedTimestamp": changed,
        }
        for name, reason, description, state, changed in alarms
    ]
    expected = [
        {
            "name": name,
            "state": state,
            "reason": reason,
            "description": description,
            "changedAt": changed,
        }
        for name, reason, description, state, changed in alarms
    ]
    more = {"next": token} if token else {}
    for path, region in ALARMS.items():
        answer = {"MetricAlarms": described} | ({"NextToken": token} if token else {})
        assert received(path, 200, answer) == (
            200,
            {"regionName": region, "alarms": expected} | more,
        )


def test_role_reads_metrics_and_alarms_and_nothing_else() -> None:
    role = resources(ROOT / "stacks" / "school-operators.yaml")["OperatorsRole"]
    granted = {it["Action"]: it["Condition"] for it in statements(role)}
    assert granted.keys() == {"cloudwatch:GetMetricData", "cloudwatch:DescribeAlarms"}
    for condition in granted.values():
        assert list(condition) == ["StringEquals"]
        assert list(condition["StringEquals"]) == ["aws:RequestedRegion"]
