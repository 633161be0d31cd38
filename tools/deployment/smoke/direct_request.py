"""Send requests to the API's own addresses: they refuse those that don't come from CloudFront."""

import secrets
import uuid
from collections.abc import Mapping
from typing import Final

from tools.deployment.smoke.target import Target
from tools.replay.http_client import ConnectionLostError, HttpClient

FORBIDDEN: Final = 403


def check_direct_request(target: Target) -> list[str]:
    """Return the requests that the API didn't refuse; an empty list if it refused all.

    The operation needs no token, so that the response doesn't depend on one.
    """
    path = f"/api/accounts/requests/{uuid.uuid4()}"
    cases = {
        "without a key": {},
        "with a wrong key": {"x-api-key": secrets.token_hex(20)},
    }
    return [problem for url in target.api_urls for problem in _problems(url, path, cases)]


def _problems(url: str, path: str, cases: Mapping[str, dict[str, str]]) -> list[str]:
    """Return the requests to one address that it didn't refuse."""
    client = HttpClient(url)
    problems = []
    try:
        for case, headers in cases.items():
            status = client.request("GET", path, headers).status
            if status != FORBIDDEN:
                problems.append(f"a request to {url} {case} answered {status}, not 403")
    except ConnectionLostError as error:
        problems.append(f"{url} got no answer: {error}")
    finally:
        client.close()
    return problems
