"""One request from arrival to answer, in API Gateway's order."""

import sys
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from aws_emulator.rest_api import authorizer, gateway, mapping, routing
from aws_emulator.rest_api.errors import NotJsonError, RefusedError
from aws_emulator.rest_api.model import Answer, Context, Definition, Operation, Request, Service
from aws_emulator.rest_api.schema import parse_json
from aws_emulator.rest_api.throttle import Throttle
from aws_emulator.rest_api.velocity import Once

type Caller = Callable[[Service, mapping.Call], Awaitable[mapping.Reply]]
type Verifier = Callable[[str, tuple[str, ...], tuple[str, ...]], Awaitable[authorizer.Claims]]


@dataclass(slots=True)
class Stage:
    """A deployed stage of an API."""

    api: str
    name: str
    account: str
    definition: Definition
    throttle: Throttle


async def serve(stage: Stage, request: Request, verify: Verifier, call: Caller) -> Answer:
    """Answer a request; whatever happens, as the definition words it."""
    context = new_context(stage, request)
    try:
        return await _serve(stage, request, context, verify, call)
    except RefusedError as refused:
        answer = gateway.answer(stage.definition, refused.kind, context)
        if answer.status >= 500:
            where = context.get("resourcePath", "?")
            print(f"local api: {request.method} {where}: {refused}", file=sys.stderr, flush=True)
        return answer


async def _serve(
    stage: Stage, request: Request, context: Context, verify: Verifier, call: Caller
) -> Answer:
    operation, path = routing.route(stage.definition, request.method, request.path)
    context["resourcePath"] = operation.resource
    if not stage.throttle.allows(operation.resource, operation.method, time.monotonic()):
        raise RefusedError("THROTTLED")
    if operation.pools:
        token = authorizer.token_of(request.headers)
        claims = await verify(token, operation.pools, operation.scopes)
        context["authorizer"] = {"claims": {name: str(it) for name, it in claims.items()}}
    parameters = {
        "path": path,
        # Of a query parameter that comes twice, $input.params() has the last.
        "querystring": dict(request.query),
        "header": request.headers,
    }
    _validate(operation, request, parameters)
    integration = operation.integration
    asked = mapping.request(integration, request, parameters, context)
    service = integration.service
    reply = mapping.mock_status(asked) if service is None else await call(service, asked)
    return mapping.response(integration, reply, parameters, context)


def _validate(
    operation: Operation, request: Request, parameters: Mapping[str, Mapping[str, str]]
) -> None:
    for place, name in operation.required:
        # "... the required request parameters ... are included and not blank."
        if not parameters[place].get(name, "").strip():
            raise RefusedError("BAD_REQUEST_PARAMETERS")
    model = operation.models.get(request.media_type)
    if model is None:
        return
    try:
        document = parse_json(request.body)
    except NotJsonError as error:
        raise RefusedError("BAD_REQUEST_BODY", "no JSON") from error
    if not model.accepts(document):
        raise RefusedError("BAD_REQUEST_BODY", "not what the model says")


def new_context(stage: Stage, request: Request) -> Context:
    """Return $context as a template sees it before its operation is known."""
    now = time.time()
    return {
        "requestId": str(uuid.uuid4()),
        "requestTime": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
        "requestTimeEpoch": int(now * 1000),
        "apiId": stage.api,
        "accountId": stage.account,
        "stage": stage.name,
        "httpMethod": request.method,
        "path": f"/{stage.name}{request.path}",
        "identity": {
            "sourceIp": request.source_ip,
            "userAgent": request.headers.get("user-agent", ""),
        },
        "authorizer": {},
        "responseOverride": Once(header=Once()),
        "requestOverride": Once(header=Once(), path=Once(), querystring=Once()),
    }
