"""The description of the API keeps the rules of the house, and those of API Gateway's import."""

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from aws_emulator.rest_api import definition, gateway
from aws_emulator.rest_api.errors import DefinitionError
from tests.support.paths import ROOT
from tests.unit.rest_api import school
from tests.unit.stacks.test_templates import resources, statements

SOURCE = ROOT / "src" / "stepfunctions" / "api.yaml"
STACK = ROOT / "stacks" / "school.yaml"
INTEGRATION = "x-amazon-apigateway-integration"
OPERATIONS = [
    pytest.param(method, resource, operation, id=f"{method} {resource}")
    for resource, item in school.document()["paths"].items()
    for method, operation in item.items()
]
#: Who asks for an account has none yet.
PUBLIC = {("post", "/accounts"), ("get", "/accounts/requests/{requestId}")}


def sent_schemas() -> Iterator[dict[str, Any]]:
    """Every schema that a request's body is checked by, with those inside."""
    schemas = school.document()["components"]["schemas"]

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


def test_what_may_be_sent_is_closed_and_bounded() -> None:
    kinds = set()
    for schema in sent_schemas():
        kinds.add(schema["type"])
        match schema["type"]:
            case "object":
                assert schema["additionalProperties"] is False
            case "string":
                assert "enum" in schema or {"maxLength", "pattern"} <= schema.keys(), schema
            case "array":
                # maxItems is not looked at: what is bounded is the number of different items.
                assert schema["uniqueItems"] is True
                assert len(schema["items"]["enum"]) == schema["maxItems"]
            case other:
                assert other == "boolean"
    assert kinds == {"object", "string", "array", "boolean"}


def test_every_pattern_is_anchored() -> None:
    for schema in sent_schemas():
        pattern = schema.get("pattern", "^$")
        assert (pattern[0], pattern[-1]) == ("^", "$"), pattern


@pytest.mark.parametrize(("method", "resource", "operation"), OPERATIONS)
def test_who_may_call(method: str, resource: str, operation: dict[str, Any]) -> None:
    if method == "options" or (method, resource) in PUBLIC:
        assert operation["security"] == []
    else:
        assert operation["security"] == [{"students": ["openid", "aws.cognito.signin.user.admin"]}]


@pytest.mark.parametrize(("method", "resource", "operation"), OPERATIONS)
def test_a_body_that_is_no_json_is_refused(
    method: str, resource: str, operation: dict[str, Any]
) -> None:
    integration = operation[INTEGRATION]
    assert integration["passthroughBehavior"] == "never"
    assert list(integration["requestTemplates"]) == ["application/json"]
    if method in {"post", "put"}:
        assert list(operation["requestBody"]["content"]) == ["application/json"]
        assert operation["requestBody"]["required"] is True


@pytest.mark.parametrize(("method", "resource", "operation"), OPERATIONS)
def test_every_answer_may_be_read_from_anywhere_and_is_kept_nowhere(
    method: str, resource: str, operation: dict[str, Any]
) -> None:
    for response in operation[INTEGRATION]["responses"].values():
        headers = {
            name.rpartition(".")[2]: value for name, value in response["responseParameters"].items()
        }
        assert headers["Access-Control-Allow-Origin"] == "'*'"
        if response["statusCode"] != "204":
            assert headers["Cache-Control"] == "'no-store'"


@pytest.mark.parametrize("resource", school.document()["paths"])
def test_a_preflight_allows_what_there_is(resource: str) -> None:
    item = school.document()["paths"][resource]
    (answer,) = item["options"][INTEGRATION]["responses"].values()
    allowed = answer["responseParameters"]["method.response.header.Access-Control-Allow-Methods"]
    assert set(allowed.strip("'").lower().split(",")) == set(item) - {"options"}


def test_every_text_of_a_visitor_is_escaped() -> None:
    """The one place where a raw text is printed is the JSON that a schema has closed."""
    text = SOURCE.read_text()
    raw = re.findall(r"\$input\.(?:path|params|json)\([^)]*\)", text)
    assert raw
    for line in text.splitlines():
        if "$input.json(" in line:
            assert "$util.escapeJavaScript($input.json('$'))" in line or "$util.urlEncode(" in line
        if "$input.params(" in line:
            assert line.strip().startswith("#set(")
        for found in re.finditer(r"\$util\.escapeJavaScript\(", line):
            assert '.replaceAll("\\\\\'","\'")' in line[found.end() :], line


def test_gateway_responses_repeat_nothing_and_are_problems() -> None:
    """They "are not processed by the VTL engine", so nothing in them could be escaped."""
    given = school.document()["x-amazon-apigateway-gateway-responses"]
    assert set(given) <= set(gateway.STATUS)
    for kind, response in given.items():
        (body,) = response["responseTemplates"].values()
        assert set(re.findall(r"\$[a-zA-Z.]+", body)) == {"$context.requestId"}
        problem = json.loads(body)
        assert problem.get("status") == (
            int(response["statusCode"]) if "status" in problem else None
        )
        assert ("statusCode" in response) != kind.startswith("DEFAULT_")
        header = response["responseParameters"]["gatewayresponse.header.Content-Type"]
        assert header == "'application/problem+json'"


@pytest.mark.parametrize("kind", gateway.STATUS)
def test_every_type_of_gateway_response_is_a_problem(kind: str) -> None:
    answer = gateway.answer(school.api(), kind, {"requestId": "r-1"})
    problem = json.loads(answer.body)
    assert dict(answer.headers)["content-type"] == "application/problem+json"
    assert dict(answer.headers)["access-control-allow-origin"] == "*"
    assert problem["requestId"] == "r-1"
    assert problem["code"]
    assert problem.get("status", answer.status) == answer.status
    documented = {401: "UNAUTHORIZED", 404: "MISSING_AUTHENTICATION_TOKEN", 429: "THROTTLED"}
    assert kind == documented.get(answer.status, kind) or kind == "EXPIRED_TOKEN"


def test_the_role_may_do_what_the_operations_do_and_nothing_else() -> None:
    (statement_list,) = [statements(resources(STACK)["ApiRole"])]
    granted = {
        (action, school.resolve(statement["Resource"]))
        for statement in statement_list
        for action in (
            [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
        )
    }
    needed = set()
    for operation in school.api().operations.values():
        service = operation.integration.service
        if service is None:
            continue
        where = f"arn:aws:{service.name}:{service.region}:{school.ACCOUNT}"
        (template,) = operation.integration.templates.values()
        if service.name == "sqs":
            needed.add(("sqs:SendMessage", f"{where}:{service.path.rpartition('/')[2]}"))
        elif service.name == "states":
            found = re.search(r'"stateMachineArn": "([^"]+)"', template)
            assert found
            needed.add((f"states:{service.action}", found[1]))
        else:
            table = re.search(r'"TableName": "([^"]+)"', template)
            index = re.search(r'"IndexName": "([^"]+)"', template)
            assert table
            arn = f"{where}:table/{table[1]}" + (f"/index/{index[1]}" if index else "")
            needed.add((f"dynamodb:{service.action}", arn))
    assert granted == needed


def test_the_role_reads_rows_by_their_keys_and_attributes_only() -> None:
    conditions = {
        it["Sid"]: it["Condition"]
        for it in statements(resources(STACK)["ApiRole"])
        if "Condition" in it
    }
    assert conditions.keys() == {"TellWhatBecameOfIt", "TellWhatGoesOn"}
    for condition in conditions.values():
        keys = {name for operator in condition.values() for name in operator}
        assert keys == {"dynamodb:LeadingKeys", "dynamodb:Attributes", "dynamodb:Select"}


def test_the_access_log_names_nobody() -> None:
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


def test_the_file_can_be_included() -> None:
    """ "AWS::Include" knows no short forms of functions, and no anchors of YAML."""
    for line in SOURCE.read_text().splitlines():
        code = re.sub(r"'[^']*'|\"[^\"]*\"", "", line.partition("# ")[0])
        assert not re.search(r"(^|[\s\[{,:-])(![A-Z]\w+|[&*][A-Za-z]\w*)(\s|$)", code), line


# --- what an import refuses ---


def changed(**integration: Any) -> dict[str, Any]:
    """The document with another integration of GET /profile."""
    document = deepcopy(school.document())
    document["paths"]["/profile"]["get"][INTEGRATION] |= integration
    return document


@pytest.mark.parametrize(
    "document",
    [
        changed(passthroughBehavior="when_no_match"),
        changed(type="aws_proxy"),
        changed(uri="https://example.org/"),
        changed(responses={"default": {"statusCode": "200", "responseParameters": {
            "method.response.header.Undeclared": "'1'"}}}),
        school.document() | {"x-amazon-apigateway-request-validator": "none of these"},
        school.document() | {"paths": {"/x": {"get": {"security": [], "responses": {}}}}},
        school.document() | {"paths": {"/x": {"x-amazon-apigateway-any-method": {}}}},
        school.document() | {"components": {"schemas": {"not-alphanumeric": {}}}},
        school.document() | {"components": {
            **school.document()["components"],
            "securitySchemes": {"students": {"name": "Authorization", "type": "apiKey"}}}},
        school.document() | {"components": {
            **school.document()["components"],
            "schemas": school.document()["components"]["schemas"] | {"Bad": {"type": "nonsense"}}}},
    ],
)  # fmt: skip
def test_what_api_gateway_refuses_is_refused_by_name(document: dict[str, Any]) -> None:
    with pytest.raises(DefinitionError) as caught:
        definition.parse(document)
    assert str(caught.value).endswith(
        (".", "'nonsense' is not valid under any of the given schemas")
    )
