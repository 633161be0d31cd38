"""Request paid pages anonymously and with students' access tokens, and check the decisions."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from aws_emulator.errors import CommandError
from tools.replay.http_client import Client, ConnectionLostError, HttpClient, Response

ANONYMOUS: Final = "anonymous visitor"
#: The user in `tokens` whose requests must be allowed.
PAYING: Final = "paying student"
PAID_PATH: Final = "/premium/"


class AccessCheck(NamedTuple):
    """One request for a page: the response's status and the reason that it contains."""

    user: str
    path: str
    status: int
    reason: str

    @property
    def as_expected(self) -> bool:
        """Whether the edge decided correctly: only the paying student reads the page."""
        allowed = self.status == 200
        denied = self.status in {302, 303, 307, 401, 403}
        return allowed if self.user == PAYING else denied


def check_access(
    url: str,
    tokens: Mapping[str, str],
    paths: Sequence[str] = (PAID_PATH,),
    make: Callable[[str], Client] = HttpClient,
) -> list[AccessCheck]:
    """Request each path anonymously and with each bearer token.

    `tokens` maps a user to an access token.

    Raises:
        CommandError: CloudFront did not answer.
    """
    client = make(url)
    rows: list[AccessCheck] = []
    visitors: list[tuple[str, str | None]] = [(ANONYMOUS, None), *tokens.items()]
    try:
        for path in paths:
            for user, token in visitors:
                headers = {"Accept": "application/json"}
                if token is not None:
                    headers["Authorization"] = f"Bearer {token}"
                answer = client.request("GET", path, headers)
                rows.append(AccessCheck(user, path, answer.status, denial_reason(answer)))
    except ConnectionLostError as error:
        raise CommandError(
            f"CloudFront didn't answer a request for a paid page: {error}. "
            "Read .meridian/run/logs/cloudfront.log."
        ) from error
    finally:
        client.close()
    return rows


def denial_reason(answer: Response) -> str:
    """Return the reason in a response: from its JSON body, else from `WWW-Authenticate`."""
    if answer.status == 200:
        return "allowed"
    try:
        document = json.loads(answer.body)
    except ValueError:
        document = None
    if isinstance(document, dict):
        for key in ("reason", "code", "error"):
            if isinstance(document.get(key), str):
                return str(document[key])[:60]
    # RFC 6750 §3: the `error` attribute of the challenge says why a bearer token was rejected.
    challenge = re.search(r'error="([^"]{1,60})"', answer.challenge)
    return challenge[1] if challenge else ""
