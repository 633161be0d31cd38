"""Which operation a path names."""

from urllib.parse import unquote

from aws_emulator.rest_api.errors import RefusedError
from aws_emulator.rest_api.model import Definition, Operation


def route(definition: Definition, method: str, path: str) -> tuple[Operation, dict[str, str]]:
    """Return the operation and its path parameters, decoded. Raises RefusedError.

    A literal part of a resource is preferred to a parameter, wherever both would match.
    """
    parts = path.split("/")
    for resource in sorted({resource for _, resource in definition.operations}, key=_parameters):
        found = _match(resource.split("/"), parts)
        if found is None:
            continue
        operation = definition.operations.get((method, resource))
        if operation is not None:
            return operation, found
    # An unknown path, and a known one with another method, are this type: 403 unless reworded.
    raise RefusedError("MISSING_AUTHENTICATION_TOKEN")


def _parameters(resource: str) -> tuple[int, str]:
    return resource.count("{"), resource


def _match(resource: list[str], parts: list[str]) -> dict[str, str] | None:
    if len(resource) != len(parts):
        return None
    found: dict[str, str] = {}
    for expected, part in zip(resource, parts, strict=True):
        if expected.startswith("{") and expected.endswith("}"):
            if not part:
                return None
            found[expected[1:-1]] = unquote(part, errors="replace")
        elif expected != part:
            return None
    return found
