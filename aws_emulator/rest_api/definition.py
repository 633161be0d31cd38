"""An exported OpenAPI document to what is served, with the checks that an import makes."""

import re
from collections.abc import Mapping
from typing import Any

from aws_emulator.rest_api.errors import DefinitionError
from aws_emulator.rest_api.model import (
    Definition,
    GatewayResponse,
    Integration,
    IntegrationResponse,
    Operation,
    Service,
)
from aws_emulator.rest_api.schema import Schema

type Json = Mapping[str, Any]

_METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch"})
_PLACES = {"path": "path", "query": "querystring", "header": "header"}
_INTEGRATION = "x-amazon-apigateway-integration"
_VALIDATOR = "x-amazon-apigateway-request-validator"
#: arn:aws:apigateway:{region}:{service}:{path|action}/{service_api}
_URI = re.compile(
    r"arn:[a-z-]+:apigateway:(?P<region>[a-z0-9-]+):(?P<service>[a-z0-9-]+):"
    r"(?P<kind>path|action)/(?P<rest>.*)"
)
_HEADER = "method.response.header."


def parse(document: Json) -> Definition:
    """Read an export. Raises DefinitionError, which names the operation."""
    operations = {}
    for resource, item in document["paths"].items():
        for method, operation in item.items():
            if method not in _METHODS:
                raise DefinitionError(f"{resource}: {method} is not served here.")
            where = f"{method.upper()} {resource}"
            operations[method.upper(), resource] = _operation(where, operation, document)
    gateway = document.get("x-amazon-apigateway-gateway-responses", {})
    return Definition(
        title=document["info"]["title"],
        operations=operations,
        gateway_responses={kind: _gateway_response(it) for kind, it in gateway.items()},
    )


def _operation(where: str, operation: Json, document: Json) -> Operation:
    method, _, resource = where.partition(" ")
    validator = _validator(where, operation, document)
    pools, scopes = _security(where, operation, document)
    return Operation(
        method=method,
        resource=resource,
        required=tuple(
            (_PLACES[parameter["in"]], parameter["name"])
            for parameter in operation.get("parameters", [])
            if parameter.get("required") and validator.get("validateRequestParameters")
        ),
        models=_models(where, operation, document) if validator.get("validateRequestBody") else {},
        pools=pools,
        scopes=scopes,
        integration=_integration(where, operation),
    )


def _validator(where: str, operation: Json, document: Json) -> Json:
    name = operation.get(_VALIDATOR, document.get(_VALIDATOR))
    if name is None:
        return {}
    known: dict[str, Json] = document.get(f"{_VALIDATOR}s", {})
    if name not in known:
        raise DefinitionError(f"{where}: there is no request validator {name}.")
    return known[name]


def _models(where: str, operation: Json, document: Json) -> dict[str, Schema]:
    others = document.get("components", {}).get("schemas", {})
    for name in others:
        # "Model names can only contain alphanumeric characters" (important notes).
        if not name.isalnum():
            raise DefinitionError(f"{where}: {name} is no name for a model.")
    content = operation.get("requestBody", {}).get("content", {})
    return {kind.lower(): Schema(it["schema"], others) for kind, it in content.items()}


def _security(
    where: str, operation: Json, document: Json
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the pools whose tokens count, and the scopes of which a token needs one."""
    required = operation.get("security", document.get("security", []))
    if not required:
        return (), ()
    if len(required) != 1 or len(required[0]) != 1:
        raise DefinitionError(f"{where}: an operation has one authorizer.")
    ((name, scopes),) = required[0].items()
    scheme = document["components"]["securitySchemes"][name]
    authorizer = scheme.get("x-amazon-apigateway-authorizer", {})
    if authorizer.get("type") != "cognito_user_pools" or scheme["name"] != "Authorization":
        raise DefinitionError(f"{where}: the authorizer {name} is not served here.")
    return tuple(authorizer["providerARNs"]), tuple(scopes)


def _integration(where: str, operation: Json) -> Integration:
    given = operation.get(_INTEGRATION)
    if given is None:
        # "No integration defined for method" ends the deployment on AWS.
        raise DefinitionError(f"{where} has no integration.")
    if given.get("passthroughBehavior", "when_no_match").lower() != "never":
        raise DefinitionError(f"{where}: passthroughBehavior is never, so that no body slips by.")
    declared = {
        (status, name)
        for status, it in operation["responses"].items()
        for name in it.get("headers", {})
    }
    responses = tuple(
        _integration_response(where, pattern, it, declared)
        for pattern, it in given["responses"].items()
    )
    return Integration(
        service=None if given["type"].lower() == "mock" else _service(where, given),
        parameters=given.get("requestParameters", {}),
        templates={kind.lower(): it for kind, it in given.get("requestTemplates", {}).items()},
        # The pattern that is none comes last: it takes what no other took.
        responses=tuple(sorted(responses, key=lambda it: it.pattern == "default")),
    )


def _service(where: str, given: Json) -> Service:
    uri = _URI.fullmatch(given.get("uri", ""))
    if given["type"].lower() != "aws" or uri is None or "credentials" not in given:
        raise DefinitionError(f"{where} is no direct integration with a role of its own.")
    action = uri["rest"] if uri["kind"] == "action" else None
    return Service(
        region=uri["region"],
        name=uri["service"],
        action=action,
        path="/" if action else f"/{uri['rest']}",
        http_method=given["httpMethod"],
        role=given["credentials"],
    )


def _integration_response(
    where: str, pattern: str, given: Json, declared: set[tuple[str, str]]
) -> IntegrationResponse:
    status = str(given["statusCode"])
    parameters = given.get("responseParameters", {})
    for name in parameters:
        if (status, name.removeprefix(_HEADER)) not in declared:
            # PutIntegrationResponse: "Invalid mapping expression parameter specified".
            raise DefinitionError(f"{where}: the response {status} declares no header {name}.")
    templates = given.get("responseTemplates", {})
    media_type, template = next(iter(templates.items()), ("application/json", None))
    return IntegrationResponse(pattern, int(status), parameters, template, media_type)


def _gateway_response(given: Json) -> GatewayResponse:
    status = given.get("statusCode")
    return GatewayResponse(
        status=int(status) if status else None,
        parameters=given.get("responseParameters", {}),
        template=next(iter(given.get("responseTemplates", {}).values()), None),
    )
