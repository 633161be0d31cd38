"""Tests of the school API's OpenAPI description: this project's rules for it, and its role."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aws_emulator.rest_api.gateway_response import DEFAULT_STATUS, build_gateway_response
from tests.support import school_api
from tests.support.paths import ROOT
from tests.unit.stacks.test_templates import of_type, resources, statements

STACK = school_api.STACK
INTEGRATION = "x-amazon-apigateway-integration"
ANY_METHOD = "x-amazon-apigateway-any-method"
OPERATIONS = [
    pytest.param(method, resource, operation, id=f"{method} {resource}")
    for resource, item in school_api.document()["paths"].items()
    for method, operation in item.items()
    if method != ANY_METHOD
]
#: Operations for people without an account.
PUBLIC = {
    ("post", "/accounts"),
    ("post", "/accounts/proofs"),
    ("post", "/address-changes/proofs"),
    ("post", "/erasures/proofs"),
    ("post", "/exports/proofs"),
    ("get", "/accounts/requests/{requestId}"),
}


def sent_schemas() -> Iterator[dict[str, Any]]:
    """Yield every schema of a request body, with its nested schemas."""
    schemas = school_api.document()["components"]["schemas"]

    def inside(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if "$ref" in schema:
            yield from inside(schemas[schema["$ref"].rpartition("/")[2]])
            return
        yield schema
        for property_ in schema.get("properties", {}).values():
            yield from inside(property_)
        if "items" in schema:
            yield from inside(schema["items"])

    for parameter in OPERATIONS:
        operation = parameter.values[2]
        assert isinstance(operation, dict)
        for content in operation.get("requestBody", {}).get("content", {}).values():
            yield from inside(content["schema"])


def test_request_schemas_are_closed_and_bounded() -> None:
    kinds = set()
    for schema in sent_schemas():
        kinds.add(schema["type"])
        match schema["type"]:
            case "object":
                assert schema["additionalProperties"] is False
            case "string":
                assert "enum" in schema or {"maxLength", "pattern"} <= schema.keys(), schema
            case "array":
                # API Gateway ignores maxItems: the enum and uniqueItems limit the length.
                assert schema["uniqueItems"] is True
                assert len(schema["items"]["enum"]) == schema["maxItems"]
            case "integer":
                assert {"minimum", "maximum"} <= schema.keys(), schema
            case other:
                assert other == "boolean"
    assert kinds == {"object", "string", "array", "boolean", "integer"}


def test_every_pattern_is_anchored() -> None:
    for schema in sent_schemas():
        pattern = schema.get("pattern", "^$")
        assert (pattern[0], pattern[-1]) == ("^", "$"), pattern


@pytest.mark.parametrize(("method", "resource", "operation"), OPERATIONS)
def test_integration_gives_up_before_a_student_has_waited_for_15_s(
    method: str, resource: str, operation: dict[str, Any]
) -> None:
    """By default, API Gateway waits for 29 s for a service that hangs."""
    integration = operation[INTEGRATION]
    if integration["type"] != "mock":
        assert 10_000 <= integration["timeoutInMillis"] <= 13_000, (method, resource)


def test_cloudfront_waits_for_the_api_longer_than_an_integration_but_once() -> None:
    """CloudFront repeats a GET that its origin doesn't answer, as often as ConnectionAttempts."""
    (distribution,) = of_type(ROOT / "stacks/edge.yaml", "AWS::CloudFront::Distribution").values()
    origins = distribution["Properties"]["DistributionConfig"]["Origins"]
    (api,) = [it for it in origins if it.get("Id") == "api"]
    assert api["ConnectionAttempts"] == 1
    assert api["CustomOriginConfig"]["OriginReadTimeout"] == 14


@pytest.mark.parametrize("response_type", ["INTEGRATION_TIMEOUT", "INTEGRATION_FAILURE"])
def test_refusal_of_a_failed_integration_is_503_with_retry_after(response_type: str) -> None:
    response = school_api.document()["x-amazon-apigateway-gateway-responses"][response_type]
    assert response["statusCode"] == "503"
    assert "gatewayresponse.header.Retry-After" in response["responseParameters"]
    assert '"status": 503' in response["responseTemplates"]["application/json"]


@pytest.mark.parametrize(("method", "resource", "operation"), OPERATIONS)
def test_operation_requires_key_of_cloudfront_and_a_token_unless_public(
    method: str, resource: str, operation: dict[str, Any]
) -> None:
    if method == "options" or (method, resource) in PUBLIC:
        assert operation["security"] == [{"api_key": []}]
    else:
        assert operation["security"] == [
            {"students": ["openid", "aws.cognito.signin.user.admin"]},
            {"api_key": []},
        ]


@pytest.mark.parametrize(("method", "resource", "operation"), OPERATIONS)
def test_operation_accepts_json_only(method: str, resource: str, operation: dict[str, Any]) -> None:
    integration = operation[INTEGRATION]
    if integration["type"] == "aws_proxy":
        # Without a mapping; the function ignores a body.
        assert "requestBody" not in operation
        return
    # This project's rule: API Gateway's default, when_no_match, would pass other bodies through.
    assert integration["passthroughBehavior"] == "never"
    assert list(integration["requestTemplates"]) == ["application/json"]
    if method in {"post", "put"}:
        assert list(operation["requestBody"]["content"]) == ["application/json"]
        assert operation["requestBody"]["required"] is True


@pytest.mark.parametrize(("method", "resource", "operation"), OPERATIONS)
def test_every_response_allows_any_origin_and_no_store(
    method: str, resource: str, operation: dict[str, Any]
) -> None:
    if operation[INTEGRATION]["type"] == "aws_proxy":
        # tests/unit/media checks the function's headers.
        return
    for response in operation[INTEGRATION]["responses"].values():
        headers = {
            name.rpartition(".")[2]: value for name, value in response["responseParameters"].items()
        }
        assert headers["Access-Control-Allow-Origin"] == "'*'"
        if response["statusCode"] != "204":
            assert headers["Cache-Control"] == "'no-store'"


@pytest.mark.parametrize("resource", school_api.document()["paths"])
def test_preflight_lists_methods_of_resource(resource: str) -> None:
    item = school_api.document()["paths"][resource]
    (response,) = item["options"][INTEGRATION]["responses"].values()
    allowed = response["responseParameters"]["method.response.header.Access-Control-Allow-Methods"]
    assert set(allowed.strip("'").lower().split(",")) == set(item) - {"options", ANY_METHOD}


def test_templates_escape_every_request_value() -> None:
    """Only JSON that a closed schema has validated is rendered without escaping."""
    text = "\n".join(path.read_text() for path in school_api.INCLUDED)
    raw = re.findall(r"\$input\.(?:path|params|json)\([^)]*\)", text)
    assert raw
    for line in text.splitlines():
        if "$input.json(" in line:
            assert "$util.escapeJavaScript($input.json('$'))" in line or "$util.urlEncode(" in line
        if "$input.params(" in line:
            assert line.strip().startswith("#set(")
        for match in re.finditer(r"\$util\.escapeJavaScript\(", line):
            assert '.replaceAll("\\\\\'","\'")' in line[match.end() :], line


def test_gateway_responses_are_problems_without_request_data() -> None:
    """They "are not processed by the VTL engine", so a template can't escape request data."""
    responses = school_api.document()["x-amazon-apigateway-gateway-responses"]
    assert set(responses) <= set(DEFAULT_STATUS)
    for kind, response in responses.items():
        (body,) = response["responseTemplates"].values()
        assert set(re.findall(r"\$[a-zA-Z.]+", body)) == {"$context.requestId"}
        problem = json.loads(body)
        assert problem.get("status") == (
            int(response["statusCode"]) if "status" in problem else None
        )
        assert ("statusCode" in response) != kind.startswith("DEFAULT_")
        header = response["responseParameters"]["gatewayresponse.header.Content-Type"]
        assert header == "'application/problem+json'"


@pytest.mark.parametrize("response_type", DEFAULT_STATUS)
def test_every_gateway_response_type_is_a_problem(response_type: str) -> None:
    response = build_gateway_response(school_api.api(), response_type, {"requestId": "r-1"})
    problem = json.loads(response.body)
    assert dict(response.headers)["content-type"] == "application/problem+json"
    assert dict(response.headers)["access-control-allow-origin"] == "*"
    assert problem["requestId"] == "r-1"
    assert problem["code"]
    assert problem.get("status", response.status) == response.status
    documented = {401: "UNAUTHORIZED", 404: "MISSING_AUTHENTICATION_TOKEN", 429: "THROTTLED"}
    expected = documented.get(response.status, response_type)
    assert response_type in {expected, "EXPIRED_TOKEN"}


def test_role_grants_exactly_the_actions_of_the_operations() -> None:
    (statement_list,) = [statements(resources(STACK)["ApiRole"])]

    def listed(value: Any) -> list[Any]:
        return value if isinstance(value, list) else [value]

    granted = {
        (action, school_api.resolve(resource))
        for statement in statement_list
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    }
    where = f"arn:aws:states:{school_api.HOME}:{school_api.ACCOUNT}"
    # The role is the same in the home, whose API calls the workflow itself.
    needed = {("states:StartSyncExecution", f"{where}:stateMachine:meridian-test-admit")}
    for method in school_api.api().methods.values():
        service = method.integration.service
        if service is None or service.role == school_api.OPERATORS_ROLE_ARN:
            # The operators' role; see test_operators.py.
            continue
        where = f"arn:aws:{service.name}:{service.region}:{school_api.ACCOUNT}"
        (template,) = method.integration.templates.values() or ("",)
        needed |= transaction_updates(template, where)
        if service.name == "sqs":
            needed.add(("sqs:SendMessage", f"{where}:{service.path.rpartition('/')[2]}"))
        elif service.name == "states":
            match = re.search(r'"stateMachineArn": "([^"]+)"', template)
            assert match
            needed.add((f"states:{service.action}", match[1]))
        elif service.name == "lambda":
            function = re.fullmatch(r"/2015-03-31/functions/(.+)/invocations", service.path)
            assert function
            needed.add(("lambda:InvokeFunction", function[1]))
        else:
            table = re.search(r'"TableName": "([^"]+)"', template)
            index = re.search(r'"IndexName": "([^"]+)"', template)
            assert table
            arn = f"{where}:table/{table[1]}" + (f"/index/{index[1]}" if index else "")
            if service.action != "TransactWriteItems":
                needed.add((f"dynamodb:{service.action}", arn))
    assert granted == needed


def transaction_updates(template: str, where: str) -> set[tuple[str, str]]:
    """Return the permissions that the updates of a transaction need."""
    if "TransactItems" not in template:
        return set()
    actions = re.findall(r'\{"(Put|Update|Delete|ConditionCheck)": \{', template)
    assert set(actions) == {"Update"}
    tables = re.findall(r'"TableName": "([^"]+)"', template)
    return {("dynamodb:UpdateItem", f"{where}:table/{table}") for table in tables}


def test_role_limits_reads_to_keys_and_attributes() -> None:
    conditions = {
        it["Sid"]: it["Condition"]
        for it in statements(resources(STACK)["ApiRole"])
        if "Condition" in it
    }
    assert conditions.keys() == {
        *("ListAdvisors", "ReadAccountRequest", "ReadLiveCounts", "ReadVerdicts"),
    }
    for condition in conditions.values():
        keys = {name for operator in condition.values() for name in operator}
        assert keys == {"dynamodb:LeadingKeys", "dynamodb:Attributes", "dynamodb:Select"}


def test_access_log_contains_no_personal_data() -> None:
    stage = resources(STACK)["Api"]["Properties"]
    logged = json.loads(stage["AccessLogSetting"]["Format"])
    assert set(logged.values()) == {
        "$context.requestId", "$context.requestTime", "$context.httpMethod",
        "$context.resourcePath", "$context.status", "$context.responseLength",
        "$context.responseLatency", "$context.integration.status", "$context.integration.latency",
        "$context.error.responseType", "$context.xrayTraceId",
    }  # fmt: skip
    for settings in stage["MethodSettings"]:
        assert (settings["LoggingLevel"], settings["DataTraceEnabled"]) == ("OFF", False)
        assert settings["ThrottlingRateLimit"] > 0
    assert {it["ResourcePath"] for it in stage["MethodSettings"]} >= {"/*", "/~1accounts"}


@pytest.mark.parametrize("path", school_api.INCLUDED, ids=lambda path: path.name)
def test_included_file_has_no_short_forms_and_no_anchors(path: Path) -> None:
    """ "AWS::Include" supports neither short forms of intrinsic functions nor YAML anchors."""
    for line in path.read_text().splitlines():
        code = re.sub(r"'[^']*'|\"[^\"]*\"", "", line.partition("# ")[0])
        assert not re.search(r"(^|[\s\[{,:-])(![A-Z]\w+|[&*][A-Za-z]\w*)(\s|$)", code), line


def test_cursor_has_the_same_pattern_in_description_and_mapping_template() -> None:
    """API Gateway doesn't check a parameter's pattern, so the mapping template does."""
    document = school_api.document()
    operation = document["paths"]["/appointments"]["get"]
    template = json.dumps(operation[INTEGRATION]["requestTemplates"])
    (time,) = re.findall(r'#set\(\$time = \\+"(.+?)\\+"\)', template)
    (rest,) = re.findall(r"\$after\.matches\(\\+\"\$time(.+?)\\+\"\)", template)
    assert document["components"]["schemas"]["Cursor"]["pattern"] == f"^{time}{rest}$"
