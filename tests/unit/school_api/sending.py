"""Send requests to the school API on the REST API emulator, with services in memory."""

from collections.abc import Mapping
from typing import Any

from aws_emulator.rest_api.model import Response
from aws_emulator.rest_api.pipeline import Stage, write_nothing
from aws_emulator.rest_api.throttling import Limit, Throttle
from aws_emulator.tests.rest_api import fakes
from tests.support import school_api


def stage(limits: Mapping[str, Limit] | None = None) -> Stage:
    """Return a deployed stage of the school API."""
    return Stage("abc123", "api", school_api.ACCOUNT, school_api.api(), Throttle(limits or {}))


def send(
    method: str,
    path: str,
    body: bytes = b"",
    services: Any = None,
    target: Stage | None = None,
    **headers: str,
) -> Response:
    """Send a request through the pipeline, with an Authorization header by default."""
    return fakes.send(method, path, body, services, target or stage(), write_nothing, **headers)
