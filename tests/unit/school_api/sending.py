"""Send requests to the school API on the REST API emulator, with services in memory."""

from collections.abc import Mapping
from typing import Any, Final

from aws_emulator.rest_api.model import Response
from aws_emulator.rest_api.pipeline import Stage, write_nothing
from aws_emulator.rest_api.throttling import Limit, Throttle
from aws_emulator.tests.rest_api import fakes
from tests.support import school_api

#: The key that CloudFront adds.
KEY: Final = "the key of CloudFront"


def stage(limits: Mapping[str, Limit] | None = None) -> Stage:
    """Return a deployed stage of the school API."""
    throttle = Throttle(limits or {})
    stage = Stage("abc123", "api", school_api.ACCOUNT, school_api.api(), throttle)
    stage.api_keys = frozenset({KEY})
    return stage


def send(
    method: str,
    path: str,
    body: bytes = b"",
    services: Any = None,
    target: Stage | None = None,
    **headers: str,
) -> Response:
    """Send a request through the pipeline, by default with a token and CloudFront's key."""
    headers = {"x_api_key": KEY} | headers
    return fakes.send(method, path, body, services, target or stage(), write_nothing, **headers)
