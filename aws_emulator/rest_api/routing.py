"""Find the method of a request by its HTTP method and path."""

from urllib.parse import unquote

from aws_emulator.rest_api.errors import GatewayResponseError
from aws_emulator.rest_api.model import ANY, Definition, Method


def route(definition: Definition, method: str, path: str) -> tuple[Method, dict[str, str]]:
    """Return the method and its decoded path parameters.

    A resource with fewer path parameters takes precedence if several match. The ANY method of a
    resource serves "all methods not previously defined" (x-amazon-apigateway-any-method).

    Raises:
        GatewayResponseError: No resource matches (MISSING_AUTHENTICATION_TOKEN).
    """
    parts = path.split("/")
    for resource in sorted({resource for _, resource in definition.methods}, key=_parameters):
        parameters = _match(resource.split("/"), parts)
        if parameters is None:
            continue
        methods = definition.methods
        method_found = methods.get((method, resource)) or methods.get((ANY, resource))
        if method_found is not None:
            return method_found, parameters
    # API Gateway returns this type for an unknown path and for an unknown method of a known path.
    raise GatewayResponseError("MISSING_AUTHENTICATION_TOKEN")


def _parameters(resource: str) -> tuple[int, str]:
    return resource.count("{"), resource


def _match(resource: list[str], parts: list[str]) -> dict[str, str] | None:
    if len(resource) != len(parts):
        return None
    parameters: dict[str, str] = {}
    for expected, part in zip(resource, parts, strict=True):
        if expected.startswith("{") and expected.endswith("}"):
            if not part:
                return None
            parameters[expected[1:-1]] = unquote(part, errors="replace")
        elif expected != part:
            return None
    return parameters
