"""Lambda@Edge handler: CloudFront event in, request or response out.

A viewer-request event is authorized. An origin-response event with an error gets a page.
"""

import json
import os
import time
from functools import cache
from typing import Any, Final

from edge_auth import authorization, request_log
from edge_auth.context import AuthContext
from edge_auth.errors import EdgeAuthError, SettingsError
from edge_auth.responses import error_response
from edge_auth.rsa_backend import select_backend
from edge_auth.settings import UNNAMED, parse
from edge_auth.viewer_request import ViewerRequest

# Beside this package. Importing pathlib takes about the time of this whole package.
SETTINGS_PATH: Final = os.path.join(os.path.dirname(os.path.dirname(__file__)), "settings.json")  # noqa: PTH118, PTH120


# CloudFront stops the function after five seconds (CloudFront, "Quotas"). The rest is for the CPU
# time of the first exchange, at 128 MB of memory.
EXCHANGES_S: Final = 4.0


class Exchanges:
    """The requests to Cognito. Those of one invocation end EXCHANGES_S after its start."""

    def __init__(self) -> None:
        self.until = 0.0

    def begin(self) -> None:
        """Begin an invocation. An execution environment handles one at a time."""
        self.until = time.monotonic() + EXCHANGES_S

    def fetch(self, url: str) -> bytes:
        """Return the body of a 200 response (`jwks.Fetch`)."""
        from edge_auth.http_client import get  # http.client takes longer to import than all else

        return get(url, self.until)

    def post(self, url: str, form: dict[str, str]) -> dict[str, object]:
        """Return the JSON object of a 200 response (`cognito.Post`)."""
        from edge_auth.http_client import post_form  # as above

        return post_form(url, form, self.until)


EXCHANGES: Final = Exchanges()


@cache
def auth_context() -> AuthContext:
    """Return this process's context.

    Raises:
        SettingsError: The file is missing, isn't JSON or has an invalid setting.
    """
    try:
        with open(SETTINGS_PATH, "rb") as file:  # noqa: PTH123 # as above
            document = json.load(file)
    except (OSError, ValueError) as error:
        raise SettingsError("settings.json", "can't be read as JSON") from error
    return AuthContext(
        parse(document),
        backend=select_backend(),
        fetch=EXCHANGES.fetch,
        post=EXCHANGES.post,
        clock=time.time,
        monotonic=time.monotonic,
        random=os.urandom,
    )


def lambda_handler(event: object, context: object) -> object:  # noqa: ARG001 # Lambda's signature
    """Return the result for CloudFront. Any failure denies a viewer's request."""
    cf = _origin_response(event)
    if cf is not None:
        return _with_page(cf)
    EXCHANGES.begin()
    try:
        request, outcome = authorization.handle_viewer_request(auth_context(), event)
        print(request_log.format_line(request, outcome))
    except Exception as error:  # noqa: BLE001 # CloudFront would answer an exception with a 502 page
        reported = error if isinstance(error, EdgeAuthError) else EdgeAuthError()
        request = _parse_or_none(event)
        outcome = error_response(request, reported)
        print(request_log.format_line(request, outcome, type(error)))
    return outcome.result


def _origin_response(event: object) -> Any:
    """Return `Records[0].cf` of an origin-response event, or None for another one."""
    try:
        cf = event["Records"][0]["cf"]  # type: ignore[index]  # any value may arrive
        return cf if cf["config"]["eventType"] == "origin-response" else None
    except (IndexError, KeyError, TypeError):
        return None


def _with_page(cf: Any) -> object:
    """Return the origin's response, or with an error status a page with that status."""
    response = cf["response"]
    if response["status"] < "400":  # three digits
        return response
    from edge_auth import origin_errors  # most requests are for existing pages

    try:
        site = auth_context().settings.site
    except SettingsError:
        site = UNNAMED
    return origin_errors.replace_error(cf, response, site)


def _parse_or_none(event: object) -> ViewerRequest | None:
    """Return the request for an error response, or None if parsing it is what failed."""
    try:
        return ViewerRequest(event)
    except Exception:  # noqa: BLE001 # as above; the handler logs the first error
        return None
