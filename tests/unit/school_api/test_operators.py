"""The operations of the operators' page: for the group only, fixed metrics, their own role."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.rest_api import definition
from aws_emulator.rest_api.integration_request import build_integration_request
from aws_emulator.rest_api.integration_response import build_method_response
from aws_emulator.rest_api.model import Integration, Request, ServiceResponse
from tests import strategies
from tests.support import school_api
from tests.support.paths import ROOT
from tests.unit.school_api.test_mapping_templates import SUB, context, method_of
from tests.unit.stacks.test_alarm_metrics import is_emitted
from tests.unit.stacks.test_templates import resources, statements
from tools import region_operations

#: The places of a stage with a further Region, which no template names.
PLACES = {"home": school_api.HOME} | {
    f"further-{number}": region for number, region in enumerate(school_api.FURTHER, 1)
}
FLOWS = {f"/operator/flow/{segment}": region for segment, region in PLACES.items()}
ALARMS = {
    **{f"/operator/alarms/{segment}": region for segment, region in PLACES.items()},
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
    ("AWS/Lambda", "Duration"): "FunctionName",
    ("AWS/Lambda", "Errors"): "FunctionName",
    ("AWS/States", "ExecutionsStarted"): "StateMachineArn",
    ("AWS/States", "ExecutionsSucceeded"): "StateMachineArn",
    ("AWS/States", "ExecutionsFailed"): "StateMachineArn",
}
#: Metrics of the whole account (Amazon SES, "Monitor your Amazon SES sending activity").
OF_THE_ACCOUNT = {("AWS/SES", name) for name in ("Send", "Delivery", "Bounce", "Complaint")}
#: Metrics without a dimension that a metric filter of a template publishes.
FILTERED = {
    ("meridian-test-user-pool", it["MetricName"])
    for resource in resources(ROOT / "stacks" / "accounts-creation.yaml").values()
    if resource["Type"] == "AWS::Logs::MetricFilter"
    for it in resource["Properties"]["MetricTransformations"]
}
START = "1790000000"
LISTED = "/operator/regions"
INTEGRATION = "x-amazon-apigateway-integration"


def sent(path: str, groups: str | None, **query: str) -> tuple[dict[str, str], Any]:
    """Return the headers and the body of the request to CloudWatch."""
    request = Request("GET", path)
    claims = {} if groups is None else {"cognito:groups": groups}
    where: dict[str, dict[str, str]] = {"path": {}, "querystring": query, "header": {}}
    built = build_integration_request(
        method_of("GET", path).integration, request, where, context(request, SUB, **claims)
    )
    return dict(built.headers), json.loads(built.body)


def received(
    path: str, status: int, body: Any, groups: str = "operators", method: str = "GET"
) -> tuple[int, Any]:
    request = Request(method, path)
    nothing: dict[str, dict[str, str]] = {"path": {}, "querystring": {}, "header": {}}
    answer = build_method_response(
        method_of(method, path).integration,
        ServiceResponse(status, {}, json.dumps(body).encode()),
        nothing,
        context(request, SUB, **{"cognito:groups": groups}),
    )
    return answer.status, json.loads(answer.body)


@pytest.mark.parametrize("further", [(), ("sa-east-1", "eu-west-3"), tuple("abcd")])
def test_each_region_of_the_stage_has_its_operations_and_no_other_region(
    further: tuple[str, ...],
) -> None:
    paths = school_api.document(further)["paths"]
    regions = {f"further-{number}": region for number, region in enumerate(further, 1)}
    regions["home"] = school_api.HOME
    for kind in ("flow", "alarms", "verdicts"):
        prefix = f"/operator/{kind}/"
        called = {
            path.removeprefix(prefix): item["get"][INTEGRATION]["uri"].split(":")[3]
            for path, item in paths.items()
            if path.startswith(prefix)
        }
        assert called == regions | ({"edge": "us-east-1"} if kind == "alarms" else {})
    lakes = {it.split("/")[3] for it in paths if it.startswith("/operator/lakes/")}
    assert lakes == set(regions) - {"home"}
    integration = definition.parse(school_api.document(further)).methods["GET", LISTED].integration
    listed = [
        {"place": segment, "regionName": region} for segment, region in sorted(regions.items())
    ]
    assert answer_of(integration, "operators") == (200, {"places": [listed[-1], *listed[:-1]]})
    status, problem = answer_of(integration, "staff")
    assert (status, problem["code"]) == (403, "not_operator")


def answer_of(integration: Integration, groups: str) -> tuple[int, Any]:
    """Return the status and the body of an integration that calls no service."""
    nothing: dict[str, dict[str, str]] = {"path": {}, "querystring": {}, "header": {}}
    claims = {"cognito:groups": groups}
    answer = build_method_response(
        integration,
        ServiceResponse(200, {}, b""),
        nothing,
        context(Request("GET", LISTED), SUB, **claims),
    )
    return answer.status, json.loads(answer.body)


def test_operations_of_each_region_are_those_of_the_home() -> None:
    files = region_operations.operations()
    written = {it.name: it.read_text() for it in region_operations.TARGET.glob("*.yaml")}
    assert written == {name: content for name, (_, content) in files.items()}
    included = (ROOT / "stacks" / "school.yaml").read_text()
    for name, (resource, _) in files.items():
        (line,) = [it for it in included.splitlines() if f"/regions/{name}" in it]
        assert line.strip().strip("'").startswith(resource)
        number = re.search(r"further-(\d)", name)
        assert ("!If [HasReplica" in line) == (number is not None)
        assert number is None or f"HasReplica{number[1]}," in line


@pytest.mark.parametrize(("segment", "region"), PLACES.items())
@given(groups=st.sampled_from(["", "paying", "staff", "operators"]), source=strategies.api_texts)
def test_verdicts_are_those_of_one_region(
    segment: str, region: str, groups: str, source: str
) -> None:
    request = Request("GET", f"/operator/verdicts/{segment}")
    integration = method_of("GET", request.path).integration
    assert integration.service is not None
    assert (integration.service.name, integration.service.region) == ("dynamodb", region)
    assert integration.service.role == school_api.OPERATORS_ROLE_ARN
    where: dict[str, dict[str, str]] = {
        "path": {},
        "querystring": {"source": source},
        "header": {},
    }
    claims = {"cognito:groups": groups}
    built = build_integration_request(integration, request, where, context(request, SUB, **claims))
    allowed = groups in {"staff", "operators"} and re.fullmatch(r"[\w.-]{1,64}", source, re.ASCII)
    assert json.loads(built.body)["Limit"] == (100 if allowed else 0)


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
        if "Dimensions" not in metric:
            assert (metric["Namespace"], metric["MetricName"]) in OF_THE_ACCOUNT | FILTERED
            continue
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
    shown = set(re.findall(r'data-metric="(\w+)"', page)) - {"rows", "duplicateShare"}
    for path in FLOWS:
        _, body = sent(path, "operators", start=START, period="60")
        named = {it["Id"] for it in body["MetricDataQueries"]}
        assert shown <= named
        emails = set(re.findall(r'data-email="(\w+)"', page)) if path.endswith("home") else set()
        charts = (ROOT / "web/public/js/charts.js").read_text()
        charted = {
            name
            for it in re.findall(r"series: \[(\"[^\]]+)\]", charts)
            for name in re.findall(r"\w+", it)
        }
        assert charted <= named
        # Prices are for these counts.
        priced = {"bytes", "duration"}
        assert named == shown | emails | charted | priced


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


def test_role_reads_metrics_alarms_and_the_lake_and_retries_executions_only() -> None:
    role = resources(ROOT / "stacks" / "school-operators.yaml")["OperatorsRole"]
    by_resource: dict[bool, set[str]] = {True: set(), False: set()}
    for statement in statements(role):
        actions = statement["Action"]
        named = {actions} if isinstance(actions, str) else set(actions)
        by_resource[statement["Resource"] == "*"] |= named
        if statement["Resource"] == "*":
            assert list(statement["Condition"]) == ["StringEquals"]
            assert list(statement["Condition"]["StringEquals"]) == ["aws:RequestedRegion"]
    assert by_resource == {
        True: {"cloudwatch:GetMetricData", "cloudwatch:DescribeAlarms"},
        False: {
            *("states:GetExecutionHistory", "states:ListExecutions", "states:RedriveExecution"),
            *("athena:GetNamedQuery", "athena:GetQueryExecution", "athena:GetQueryResults"),
            *("athena:ListNamedQueries", "athena:StartQueryExecution"),
            "states:DescribeStateMachine",
            *("glue:GetDatabase", "glue:GetPartitions", "glue:GetTable", "glue:GetTables"),
            *("s3:GetBucketLocation", "s3:GetObject", "s3:ListBucket", "dynamodb:Query"),
        },
    }


# --- executions ---

LIST = "/operator/executions/{machine}"
STEPS = "/operator/executions/{machine}/{execution}"
REDRIVE = "/operator/executions/{machine}/{execution}/redrive"
MACHINE = "/operator/machines/{machine}"
EXECUTIONS = f"arn:aws:states:{school_api.HOME}:{school_api.ACCOUNT}:execution:meridian-test"
REQUEST_ID = "0b0e7a94-3c9c-4f6e-9a3e-0d4a2c7b9f10"


def asked(method: str, path: str, groups: str, body: Any = None, **params: str) -> Any:
    """Return the body of the request to Step Functions."""
    request = Request(method, path, body=b"" if body is None else json.dumps(body).encode())
    where = {"path": params, "querystring": params, "header": {}}
    claims = {"cognito:groups": groups}
    integration = method_of(method, path).integration
    assert integration.service is not None
    assert integration.service.role == school_api.OPERATORS_ROLE_ARN
    built = build_integration_request(integration, request, where, context(request, SUB, **claims))
    return json.loads(built.body)


GROUPS = st.sampled_from(["", "staff", "operators", "paying,operators"])
MACHINES = st.sampled_from(["account", "import", "create", "none"]) | strategies.api_texts


@given(
    groups=GROUPS,
    machine=MACHINES,
    status=st.sampled_from(["", "FAILED", "RUNNING", "LOST"]) | strategies.api_texts,
    after=strategies.api_texts,
)
def test_list_of_invalid_request_or_other_caller_is_one_that_step_functions_refuses(
    groups: str, machine: str, status: str, after: str
) -> None:
    body = asked("GET", LIST, groups, machine=machine, status=status, after=after)
    statuses = {"", "RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"}
    allowed = "operators" in groups.split(",") and machine in {"account", "import"}
    # ListExecutions, maxResults: "Maximum value of 1000".
    if not allowed or status not in statuses:
        assert body["maxResults"] == 1001
        return
    machines = EXECUTIONS.replace(":execution:", ":stateMachine:")
    expected = {"stateMachineArn": f"{machines}-{machine}", "maxResults": 50}
    expected |= {"statusFilter": status} if status else {}
    assert body == expected | ({"nextToken": after} if after else {})


@given(groups=GROUPS, machine=MACHINES, execution=st.just("a-B_1=") | strategies.api_texts)
def test_steps_and_retry_name_an_execution_of_a_known_machine_only(
    groups: str, machine: str, execution: str
) -> None:
    params = {"machine": machine, "execution": execution}
    allowed = (
        "operators" in groups.split(",")
        and machine in {"account", "import"}
        and re.fullmatch(r"[A-Za-z0-9_=-]{1,80}", execution, re.ASCII)
    )
    steps = asked("GET", STEPS, groups, **params)
    # The data of an execution is personal.
    assert steps["includeExecutionData"] is False
    assert steps["maxResults"] == (100 if allowed else 1001)
    redrive = asked("POST", REDRIVE, groups, {"requestId": REQUEST_ID}, **params)
    assert redrive["clientToken"] == REQUEST_ID
    if allowed:
        assert steps["executionArn"] == f"{EXECUTIONS}-{machine}:{execution}"
        assert redrive["executionArn"] == f"{EXECUTIONS}-{machine}:{execution}"
    else:
        assert redrive["executionArn"] == f"{EXECUTIONS}-account:-"


@given(groups=GROUPS, machine=MACHINES, definition=strategies.api_texts)
def test_definition_is_of_a_known_machine_and_for_operators_only(
    groups: str, machine: str, definition: str
) -> None:
    body = asked("GET", MACHINE, groups, machine=machine)
    machines = EXECUTIONS.replace(":execution:", ":stateMachine:")
    is_valid = "operators" in groups.split(",") and machine in {"account", "import"}
    # DescribeStateMachine, includedData: "Valid Values: ALL_DATA | METADATA_ONLY".
    assert body == {
        "stateMachineArn": f"{machines}-{machine if is_valid else 'account'}",
        "includedData": "ALL_DATA" if is_valid else "NONE",
    }
    answer = {"definition": definition, "name": "account"}
    assert received(MACHINE, 200, answer) == (200, {"definition": definition})


@pytest.mark.parametrize(("method", "path"), [("GET", LIST), ("GET", STEPS), ("POST", REDRIVE)])
@pytest.mark.parametrize(
    ("groups", "kind", "expected"),
    [
        ("staff", "ValidationException", (403, "not_operator")),
        ("staff", "ExecutionDoesNotExist", (403, "not_operator")),
        ("operators", "ValidationException", (400, "parameters_invalid")),
        ("operators", "ExecutionDoesNotExist", (404, "execution_unknown")),
        ("operators", "ExecutionNotRedrivable", (409, "execution_not_redrivable")),
        ("operators", "ThrottlingException", (503, "unavailable")),
    ],
)
def test_refusal_of_step_functions_returns_its_reason(
    method: str, path: str, groups: str, kind: str, expected: tuple[int, str]
) -> None:
    body = {"__type": f"com.amazonaws.swf.service.v2.model#{kind}"}
    status, problem = received(path, 400, body, groups, method)
    assert (status, problem["code"], problem["status"]) == (*expected, expected[0])


@given(strategies.api_texts, strategies.api_texts, strategies.api_texts)
def test_executions_and_steps_are_returned_without_their_data(
    name: str, state: str, error: str
) -> None:
    listed = [
        {"name": name, "status": "FAILED", "startDate": 1.5, "stopDate": 2.5, "input": "personal"},
        {"name": name, "status": "RUNNING", "startDate": 1.5},
    ]
    assert received(LIST, 200, {"executions": listed, "nextToken": "more"}) == (
        200,
        {
            "executions": [
                {"name": name, "status": "FAILED", "startedAt": 1.5, "endedAt": 2.5},
                {"name": name, "status": "RUNNING", "startedAt": 1.5},
            ],
            "next": "more",
        },
    )
    events = [
        {
            "type": "ExecutionFailed",
            "timestamp": 3,
            "executionFailedEventDetails": {"error": error},
        },
        {
            "type": "TaskStateEntered",
            "timestamp": 2,
            "stateEnteredEventDetails": {"name": state, "input": "personal"},
        },
    ]
    assert received(STEPS, 200, {"events": events}) == (
        200,
        {
            "steps": [
                {"type": "ExecutionFailed", "state": "", "error": error, "at": 3},
                {"type": "TaskStateEntered", "state": state, "error": "", "at": 2},
            ]
        },
    )
    assert received(REDRIVE, 200, {"redriveDate": 4.5}, method="POST") == (200, {"redrivenAt": 4.5})
