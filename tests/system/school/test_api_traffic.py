"""Fuzz the school API on the running system with Schemathesis.

Schemathesis generates valid and invalid requests from the deployed definition, and checks each
response against it: status (never 5xx), headers, media type and schema.
"""

import json
from typing import Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import load_all_checks, negative_data_rejection

from tests.support import school_api
from tests.support.examples import one_in
from tools.dev.system import System
from tools.stack import client

pytestmark = pytest.mark.integration

#: Number of requests per operation and generation mode.
MAX_EXAMPLES: Final = one_in(4)
#: SizeRestrictions_URIPATH, _QUERYSTRING and _BODY of the web ACL's managed rules.
MAX_PATH_BYTES: Final = 1_024
MAX_QUERY_BYTES: Final = 2_048
MAX_BODY_BYTES: Final = 8_192
#: CloudFront, "Quotas": the maximum length of a URL.
MAX_URL_BYTES: Final = 8_192
load_all_checks()


def operations(mode: GenerationMode) -> list[tuple[str, str]]:
    """Return every operation of a stage in one Region, except preflights.

    An invalid request needs a body or parameters.
    """
    return [
        (method, resource)
        for resource, item in school_api.document(further=())["paths"].items()
        for method, operation in item.items()
        if method not in {"options", "x-amazon-apigateway-any-method"}
        if mode.is_positive or {"requestBody", "parameters"} & operation.keys()
    ]


@pytest.fixture(scope="module")
def description(meridian: System) -> schemathesis.BaseSchema:
    """The deployed definition, as API Gateway exports it."""
    response = client("apigateway", meridian.target).get_export(
        restApiId=meridian.deployed.outputs["ApiId"],
        stageName="api",
        exportType="oas30",
        parameters={"extensions": "apigateway"},
    )
    document: dict[str, Any] = json.loads(response["body"].read())
    # CloudFront adds the key and replaces a visitor's.
    del document["components"]["securitySchemes"]["api_key"]
    for item in document["paths"].values():
        for operation in item.values():
            operation["security"] = [it for it in operation["security"] if "api_key" not in it]
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=f"{meridian.url}/api")
    return schema


def is_blocked(response: Any) -> bool:
    """Return whether the web ACL refused a request."""
    return response.status_code == 403 and "WebAclBlock" in response.text


def send(
    meridian: System, description: schemathesis.BaseSchema, operation: tuple[str, str],
    mode: GenerationMode, *excluded: schemathesis.CheckFunction,
) -> None:  # fmt: skip
    """Send requests of one operation through CloudFront, and check every response."""
    method, resource = operation
    headers = {"Authorization": f"Bearer {meridian.students[0].token}"}
    statuses: set[int] = set()

    @given(case=description[resource][method].as_strategy(generation_mode=mode))
    @settings(max_examples=MAX_EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    def one(case: schemathesis.Case[Any]) -> None:
        response = case.call(headers=headers, timeout=30)
        statuses.add(response.status_code)
        if is_blocked(response):
            # The web ACL's response, which isn't the API's: AWS WAF, "Core rule set".
            path, _, query = str(response.request.path_url).partition("?")
            size = int(response.request.headers.get("Content-Length", 0))
            is_long = len(path) > MAX_PATH_BYTES or len(query) > MAX_QUERY_BYTES
            assert is_long or size > MAX_BODY_BYTES
            return
        if response.status_code == 414:
            # CloudFront's response, before the web ACL and the API see the request.
            url = str(response.request.url).replace("http://", "https://", 1)
            assert len(url) > MAX_URL_BYTES
            return
        case.validate_response(response, excluded_checks=list(excluded))

    one()
    print(method, resource, mode.value, sorted(statuses))


@pytest.mark.parametrize("operation", operations(GenerationMode.POSITIVE), ids=" ".join)
def test_valid_requests_return_documented_responses(
    meridian: System, description: schemathesis.BaseSchema, operation: tuple[str, str]
) -> None:
    send(meridian, description, operation, GenerationMode.POSITIVE)


@pytest.mark.parametrize("operation", operations(GenerationMode.NEGATIVE), ids=" ".join)
def test_invalid_requests_return_documented_responses(
    meridian: System, description: schemathesis.BaseSchema, operation: tuple[str, str]
) -> None:
    # Beside `after`, `from` has no effect: a list with an invalid one is valid.
    excluded = [negative_data_rejection] if operation[0] == "get" else []
    send(meridian, description, operation, GenerationMode.NEGATIVE, *excluded)
