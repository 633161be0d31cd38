"""The function's entry: one viewer request in, a request or a response out, one log line."""

import json
import os
import time
from functools import cache

from edge_auth import decision, log
from edge_auth.backends import fastest
from edge_auth.errors import EdgeAuthError, SettingsError
from edge_auth.gate import Gate
from edge_auth.request import Request
from edge_auth.responses import refusal
from edge_auth.settings import parse

# Beside this package. pathlib would take as long to import as all of ours.
SETTINGS = os.path.join(os.path.dirname(os.path.dirname(__file__)), "settings.json")  # noqa: PTH118, PTH120


def _fetch(address: str) -> bytes:
    from edge_auth.fetch import get  # a connection's modules cost more than all of ours

    return get(address)


def _post(address: str, form: dict[str, str]) -> dict[str, object]:
    from edge_auth.fetch import post_form  # as above

    return post_form(address, form)


@cache
def gate() -> Gate:
    """The gate of this process. Raises SettingsError."""
    try:
        with open(SETTINGS, "rb") as file:  # noqa: PTH123 # as above
            document = json.load(file)
    except (OSError, ValueError) as error:
        raise SettingsError("settings.json", "cannot be read") from error
    return Gate(
        parse(document),
        backend=fastest(),
        fetch=_fetch,
        post=_post,
        clock=time.time,
        monotonic=time.monotonic,
        random=os.urandom,
    )


def lambda_handler(event: object, context: object) -> object:  # noqa: ARG001 # Lambda's signature
    """A CloudFront viewer-request result. Whatever goes wrong, the door stays closed."""
    try:
        request, outcome = decision.answer(gate(), event)
        print(log.line(request, outcome))
    except Exception as error:  # noqa: BLE001 # an exception here would be CloudFront's own 502 page
        problem = error if isinstance(error, EdgeAuthError) else EdgeAuthError()
        request = _understood(event)
        outcome = refusal(request, problem)
        print(log.line(request, outcome, type(error)))
    return outcome.result


def _understood(event: object) -> Request | None:
    """The request, for the answer to a failure: the failure may have been to understand it."""
    try:
        return Request(event)
    except Exception:  # noqa: BLE001 # as above; the first error is the one that is logged
        return None
