"""Hostile traffic at the running API: whatever a client sends, the answer is one of the document's.

Schemathesis makes requests of the deployed definition, valid ones and invalid ones, and checks each
answer against it: status, headers, media type, schema, and that nothing is answered with a 5xx.
"""

import json
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import load_all_checks, negative_data_rejection
from schemathesis.specs.openapi.checks import unsupported_method

from tests.unit.rest_api import school
from tools.dev.system import System
from tools.sam import client

pytestmark = pytest.mark.integration

#: Bounded for `make test`: per operation, and again for what its schema does not allow.
EXAMPLES = 25
load_all_checks()


def operations(mode: GenerationMode) -> list[tuple[str, str]]:
    """Every operation but preflights, which take what comes; a wrong request needs parameters."""
    return [
        (method, resource)
        for resource, item in school.document()["paths"].items()
        for method, operation in item.items()
        if method != "options"
        if mode.is_positive or {"requestBody", "parameters"} & operation.keys()
    ]


@pytest.fixture(scope="module")
def description(meridian: System) -> schemathesis.BaseSchema:
    """The deployed definition, from API Gateway's own export."""
    answer = client("apigateway", meridian.place).get_export(
        restApiId=meridian.deployed.outputs["ApiId"],
        stageName="api",
        exportType="oas30",
        parameters={"extensions": "apigateway"},
    )
    document: dict[str, Any] = json.loads(answer["body"].read())
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=f"{meridian.url}/api")
    return schema


def send(
    meridian: System, description: schemathesis.BaseSchema, operation: tuple[str, str],
    mode: GenerationMode, *excluded: schemathesis.CheckFunction,
) -> None:  # fmt: skip
    """Send requests of one operation through the edge, and check every answer."""
    method, resource = operation
    headers = {"Authorization": f"Bearer {meridian.students[0].token}"}
    statuses: set[int] = set()

    @given(case=description[resource][method].as_strategy(generation_mode=mode))
    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    def one(case: schemathesis.Case[Any]) -> None:
        answer = case.call_and_validate(
            # API Gateway knows no 405: an unknown method is an unknown operation, 404.
            headers=headers, excluded_checks=[unsupported_method, *excluded], timeout=30
        )  # fmt: skip
        statuses.add(answer.status_code)

    one()
    print(method, resource, mode.value, sorted(statuses))


@pytest.mark.parametrize("operation", operations(GenerationMode.POSITIVE), ids=" ".join)
def test_what_the_document_allows(
    meridian: System, description: schemathesis.BaseSchema, operation: tuple[str, str]
) -> None:
    send(meridian, description, operation, GenerationMode.POSITIVE)


@pytest.mark.parametrize("operation", operations(GenerationMode.NEGATIVE), ids=" ".join)
def test_what_the_document_does_not_allow(
    meridian: System, description: schemathesis.BaseSchema, operation: tuple[str, str]
) -> None:
    # "API Gateway ... verifies that required request parameters are included and not blank", and
    # not their form: a `from` that is no time is ignored.
    excluded = [negative_data_rejection] if operation[0] == "get" else []
    send(meridian, description, operation, GenerationMode.NEGATIVE, *excluded)
