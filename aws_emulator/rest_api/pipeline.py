"""Run one request through API Gateway's steps, from routing to the method response."""

import sys
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aws_emulator.rest_api import authorizer, lambda_proxy, method_request, routing
from aws_emulator.rest_api.access_log import AccessLogSetting
from aws_emulator.rest_api.context_variables import replace_variables
from aws_emulator.rest_api.errors import GatewayResponseError
from aws_emulator.rest_api.gateway_response import build_gateway_response
from aws_emulator.rest_api.integration_request import build_integration_request, mock_response
from aws_emulator.rest_api.integration_response import build_method_response
from aws_emulator.rest_api.mapping_template import OverrideMap
from aws_emulator.rest_api.model import (
    Context,
    Definition,
    IntegrationRequest,
    Request,
    Response,
    Service,
    ServiceResponse,
)
from aws_emulator.rest_api.throttling import Throttle

type ServiceCaller = Callable[[Service, IntegrationRequest], Awaitable[ServiceResponse]]
type LogWriter = Callable[[AccessLogSetting, str], None]
type Verifier = Callable[[str, tuple[str, ...], tuple[str, ...]], Awaitable[authorizer.Claims]]


@dataclass(slots=True)
class Stage:
    """A deployed stage of an API."""

    api_id: str
    name: str
    account: str
    definition: Definition
    throttle: Throttle
    access_log: AccessLogSetting | None = None
    #: The API's Region and its name, which its metrics have.
    region: str = ""
    api_name: str = ""
    #: The enabled API keys of the usage plans that contain the stage.
    api_keys: frozenset[str] = frozenset()
    #: Whether the API's execute-api endpoint is disabled.
    is_endpoint_disabled: bool = False


def write_nothing(_setting: AccessLogSetting, _text: str) -> None:
    """Write no access log."""


async def serve(
    stage: Stage,
    request: Request,
    verify: Verifier,
    call_service: ServiceCaller,
    write_log: LogWriter = write_nothing,
) -> Response:
    """Return the response to a request; a GatewayResponseError becomes a gateway response.

    `verify` authorizes a token and returns its claims. `call_service` sends the integration
    request. `write_log` receives the entry of the stage's access log.
    """
    context, started = new_context(stage, request), time.monotonic()
    try:
        response = await _execute(stage, request, context, verify, call_service)
    except GatewayResponseError as error:
        response = build_gateway_response(
            stage.definition, error.response_type, context, error.status
        )
        context["error"] = {"responseType": error.response_type}
        if response.status >= 500:
            resource = context.get("resourcePath", "?")
            print(f"rest_api: {request.method} {resource}: {error}", file=sys.stderr, flush=True)
    if stage.access_log is not None:
        context["status"] = response.status
        context["responseLength"] = len(response.body)
        context["responseLatency"] = _elapsed_ms(started)
        write_log(stage.access_log, replace_variables(stage.access_log.format, context))
    return response


async def _execute(
    stage: Stage,
    request: Request,
    context: Context,
    verify: Verifier,
    call_service: ServiceCaller,
) -> Response:
    method, path_parameters = routing.route(stage.definition, request.method, request.path)
    context["resourcePath"] = method.resource
    if not stage.throttle.allows(method.resource, method.http_method, time.monotonic()):
        raise GatewayResponseError("THROTTLED")
    if method.user_pools:
        token = authorizer.token_of(request.headers)
        claims = await verify(token, method.user_pools, method.scopes)
        context["authorizer"] = {"claims": {name: claim_text(it) for name, it in claims.items()}}
    if method.api_key_required and request.headers.get("x-api-key") not in stage.api_keys:
        raise GatewayResponseError("INVALID_API_KEY", "no key of a usage plan of the stage")
    parameters = {
        "path": path_parameters,
        # $input.params() returns the last value of a repeated query parameter.
        "querystring": dict(request.query),
        "header": request.headers,
    }
    method_request.validate(method, request, parameters)
    integration = method.integration
    sent = (
        lambda_proxy.build_event(request, path_parameters, context)
        if integration.is_lambda_proxy
        else build_integration_request(integration, request, parameters, context)
    )
    service = integration.service
    started = time.monotonic()
    received = mock_response(sent) if service is None else await call_service(service, sent)
    context["integration"] = {
        "status": received.status,
        "latency": _elapsed_ms(started),
        "requestId": received.headers.get("x-amzn-requestid", "-"),
    }
    if integration.is_lambda_proxy:
        return lambda_proxy.build_response(received, context)
    return build_method_response(integration, received, parameters, context)


def claim_text(value: object) -> str:
    """Return a claim as `$context.authorizer.claims` has it: a list is joined with commas."""
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _elapsed_ms(started: float) -> int:
    return round((time.monotonic() - started) * 1000)


def new_context(stage: Stage, request: Request) -> Context:
    """Return the `$context` of mapping templates; the pipeline adds the resource and the claims."""
    now = time.time()
    return {
        "requestId": str(uuid.uuid4()),
        "requestTime": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
        "requestTimeEpoch": int(now * 1000),
        "apiId": stage.api_id,
        "accountId": stage.account,
        "stage": stage.name,
        "httpMethod": request.method,
        "path": f"/{stage.name}{request.path}",
        "identity": {
            "sourceIp": request.source_ip,
            "userAgent": request.headers.get("user-agent", ""),
        },
        "authorizer": {},
        "responseOverride": OverrideMap(header=OverrideMap()),
        "requestOverride": OverrideMap(
            header=OverrideMap(), path=OverrideMap(), querystring=OverrideMap()
        ),
    }
