"""Parse an exported OpenAPI definition, with the checks of API Gateway's import.

The parser rejects what API Gateway rejects, and what the emulator doesn't support. README.md of
`aws_emulator.rest_api` lists every extension.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, cast

from aws_emulator.rest_api.errors import DefinitionError
from aws_emulator.rest_api.model import (
    ANY,
    Definition,
    GatewayResponse,
    Integration,
    IntegrationResponse,
    Method,
    PassthroughBehavior,
    Service,
)
from aws_emulator.rest_api.request_model import Models, RequestModel

type Json = Mapping[str, Any]

_METHODS: Final = frozenset({"get", "put", "post", "delete", "options", "head", "patch"})
_ANY_METHOD: Final = "x-amazon-apigateway-any-method"
_LOCATIONS: Final = {"path": "path", "query": "querystring", "header": "header"}
_INTEGRATION: Final = "x-amazon-apigateway-integration"
_VALIDATOR: Final = "x-amazon-apigateway-request-validator"
_KEY_SOURCE: Final = "x-amazon-apigateway-api-key-source"
_API_KEY_HEADER: Final = "x-api-key"
#: "You can set a timeout value starting at 50 milliseconds up to 29 seconds"; a higher quota isn't
#: emulated.
_MIN_TIMEOUT_MS: Final = 50
_MAX_TIMEOUT_MS: Final = 29_000
_PASSTHROUGH_BEHAVIORS: Final = frozenset({"when_no_match", "when_no_templates", "never"})
#: arn:aws:apigateway:{region}:{service}:{path|action}/{service_api}
_URI: Final = re.compile(
    r"arn:[a-z-]+:apigateway:(?P<region>[a-z0-9-]+):(?P<service>[a-z0-9-]+):"
    r"(?P<kind>path|action)/(?P<rest>.*)"
)
_HEADER_PREFIX: Final = "method.response.header."
_FUNCTION_PATH: Final = re.compile(
    r"/2015-03-31/functions/arn:[a-z-]+:lambda:[a-z0-9-]+:[0-9]{12}:function:[^/]+/invocations"
)


def parse(document: Json) -> Definition:
    """Parse an exported definition.

    Raises:
        DefinitionError: API Gateway would reject the definition, or the emulator doesn't support
            it; the message names the method.
    """
    if document.get(_KEY_SOURCE, "HEADER").upper() != "HEADER":
        raise DefinitionError(f"{_KEY_SOURCE} {document[_KEY_SOURCE]} is not supported.")
    methods = {}
    others = Models(document.get("components", {}).get("schemas", {}))
    for resource, item in document["paths"].items():
        for name, operation in item.items():
            if name not in _METHODS and name != _ANY_METHOD:
                raise DefinitionError(f"{resource}: {name} is not supported.")
            method = ANY if name == _ANY_METHOD else name.upper()
            methods[method, resource] = _method(f"{method} {resource}", operation, document, others)
    gateway = document.get("x-amazon-apigateway-gateway-responses", {})
    return Definition(
        title=document["info"]["title"],
        methods=methods,
        gateway_responses={kind: _gateway_response(it) for kind, it in gateway.items()},
    )


def _method(where: str, operation: Json, document: Json, others: Models) -> Method:
    http_method, _, resource = where.partition(" ")
    validator = _validator(where, operation, document)
    key_required, pools, scopes = _security(where, operation, document)
    return Method(
        http_method=http_method,
        resource=resource,
        required_parameters=tuple(
            (_LOCATIONS[parameter["in"]], parameter["name"])
            for parameter in operation.get("parameters", [])
            if parameter.get("required") and validator.get("validateRequestParameters")
        ),
        models=_models(where, operation, document, others)
        if validator.get("validateRequestBody")
        else {},
        user_pools=pools,
        scopes=scopes,
        integration=_integration(where, operation),
        api_key_required=key_required,
    )


def _validator(where: str, operation: Json, document: Json) -> Json:
    name = operation.get(_VALIDATOR, document.get(_VALIDATOR))
    if name is None:
        return {}
    validators: dict[str, Json] = document.get(f"{_VALIDATOR}s", {})
    if name not in validators:
        raise DefinitionError(f"{where}: the request validator {name} is not defined.")
    return validators[name]


def _models(where: str, operation: Json, document: Json, others: Models) -> dict[str, RequestModel]:
    for name in document.get("components", {}).get("schemas", {}):
        # Important notes: "Model names can only contain alphanumeric characters".
        if not name.isalnum():
            raise DefinitionError(f"{where}: the model name {name} is not alphanumeric.")
    content = operation.get("requestBody", {}).get("content", {})
    return {kind.lower(): RequestModel(it["schema"], others) for kind, it in content.items()}


def _security(
    where: str, operation: Json, document: Json
) -> tuple[bool, tuple[str, ...], tuple[str, ...]]:
    """Return whether a key is required, the ARNs of the user pools, and the authorization scopes.

    API Gateway requires both an API key and an authorizer if a method lists both.

    Raises:
        DefinitionError: The method has several authorizers, or one that isn't supported.
    """
    required = operation.get("security", document.get("security", []))
    schemes = document.get("components", {}).get("securitySchemes", {})
    listed = [(name, scopes) for it in required for name, scopes in it.items()]
    authorizers = [
        (name, scopes) for name, scopes in listed if not _is_api_key(schemes.get(name, {}))
    ]
    key_required = len(authorizers) < len(listed)
    if not authorizers:
        return key_required, (), ()
    if len(authorizers) != 1:
        raise DefinitionError(f"{where}: a method can have one authorizer only.")
    ((name, scopes),) = authorizers
    scheme = schemes.get(name, {})
    authorizer = scheme.get("x-amazon-apigateway-authorizer", {})
    if authorizer.get("type") != "cognito_user_pools" or scheme.get("name") != "Authorization":
        raise DefinitionError(
            f"{where}: the authorizer {name} is not supported. Use a Cognito user pool authorizer "
            "with the Authorization header."
        )
    return key_required, tuple(authorizer["providerARNs"]), tuple(scopes)


def _is_api_key(scheme: Json) -> bool:
    return (
        scheme.get("type") == "apiKey"
        and scheme.get("in") == "header"
        and str(scheme.get("name")).lower() == _API_KEY_HEADER
        and "x-amazon-apigateway-authorizer" not in scheme
    )


def _integration(where: str, operation: Json) -> Integration:
    extension = operation.get(_INTEGRATION)
    if extension is None:
        # API Gateway rejects the deployment: "No integration defined for method".
        raise DefinitionError(f"{where} has no integration.")
    # x-amazon-apigateway-integration: "passthroughBehavior … when_no_templates, when_no_match,
    # never"; Integration: the default is WHEN_NO_MATCH.
    passthrough = extension.get("passthroughBehavior", "when_no_match").lower()
    if passthrough not in _PASSTHROUGH_BEHAVIORS:
        raise DefinitionError(
            f"{where}: passthroughBehavior {passthrough} is invalid. Use when_no_match, "
            "when_no_templates or never."
        )
    declared = {
        (status, name)
        for status, it in operation["responses"].items()
        for name in it.get("headers", {})
    }
    responses = tuple(
        _integration_response(where, pattern, it, declared)
        for pattern, it in extension.get("responses", {}).items()
    )
    kind = extension["type"].lower()
    if kind == "aws_proxy":
        return _lambda_proxy(where, extension)
    return Integration(
        service=None if kind == "mock" else _service(where, extension),
        parameters=extension.get("requestParameters", {}),
        templates={kind.lower(): it for kind, it in extension.get("requestTemplates", {}).items()},
        # The default integration response applies if no other pattern matches.
        responses=tuple(sorted(responses, key=lambda it: it.selection_pattern == "default")),
        passthrough_behavior=cast("PassthroughBehavior", passthrough),
    )


def _lambda_proxy(where: str, extension: Json) -> Integration:
    service = _service(where, extension)
    if not _FUNCTION_PATH.fullmatch(service.path) or service.http_method != "POST":
        # "For Lambda integrations, you must use the HTTP method of POST for the integration
        # request, according to the specification of the Lambda service action".
        raise DefinitionError(
            f"{where}: an integration of type aws_proxy needs the URI of a Lambda function's "
            "invocations and the httpMethod POST."
        )
    return Integration(
        service=service, parameters={}, templates={}, responses=(), is_lambda_proxy=True
    )


def _service(where: str, extension: Json) -> Service:
    uri = _URI.fullmatch(extension.get("uri", ""))
    supported = extension["type"].lower() in {"aws", "aws_proxy"}
    if not supported or uri is None or "credentials" not in extension:
        raise DefinitionError(
            f"{where}: the integration is not supported. Use type aws with an action or path URI "
            "of an AWS service and with credentials, type aws_proxy with a Lambda function and "
            "with credentials, or type mock."
        )
    action = uri["rest"] if uri["kind"] == "action" else None
    timeout_ms = int(extension.get("timeoutInMillis", _MAX_TIMEOUT_MS))
    if not _MIN_TIMEOUT_MS <= timeout_ms <= _MAX_TIMEOUT_MS:
        # PutIntegration: "Timeout should be between 50 ms and 29000 ms".
        raise DefinitionError(
            f"{where}: timeoutInMillis is {timeout_ms}. Use {_MIN_TIMEOUT_MS} to {_MAX_TIMEOUT_MS}."
        )
    return Service(
        region=uri["region"],
        name=uri["service"],
        action=action,
        # "path//" is the path "/" of a service whose operation is a header.
        path="/" if action else f"/{uri['rest'].removeprefix('/')}",
        http_method=extension["httpMethod"],
        role=extension["credentials"],
        timeout_s=timeout_ms / 1000,
    )


def _integration_response(
    where: str, pattern: str, extension: Json, declared: set[tuple[str, str]]
) -> IntegrationResponse:
    status = str(extension["statusCode"])
    parameters = extension.get("responseParameters", {})
    for name in parameters:
        if (status, name.removeprefix(_HEADER_PREFIX)) not in declared:
            # PutIntegrationResponse: "Invalid mapping expression parameter specified".
            raise DefinitionError(f"{where}: the response {status} doesn't declare {name}.")
    templates = extension.get("responseTemplates", {})
    media_type, template = next(iter(templates.items()), ("application/json", None))
    return IntegrationResponse(pattern, int(status), parameters, template, media_type)


def _gateway_response(extension: Json) -> GatewayResponse:
    status = extension.get("statusCode")
    return GatewayResponse(
        status=int(status) if status else None,
        parameters=extension.get("responseParameters", {}),
        template=next(iter(extension.get("responseTemplates", {}).values()), None),
    )
