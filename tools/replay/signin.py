"""Who may read what is paid for: an anonymous visitor, and students with their tokens."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from aws_emulator.errors import CommandError
from tools.replay.transport import Answer, Client, ConnectionLostError, HttpClient

ANONYMOUS = "anonymous visitor"
#: The one of `tokens` who must get in.
PAYING = "paying student"
PATH = "/premium/"


class SignIn(NamedTuple):
    """One request: who asked for what, the status of the answer and the reason it gives."""

    who: str
    path: str
    status: int
    reason: str

    @property
    def right(self) -> bool:
        """Tell whether the gate decided as it must: only the paying student reads the page."""
        passed = self.status == 200
        refused = self.status in {302, 303, 307, 401, 403}
        return passed if self.who == PAYING else refused


def exercise(
    url: str,
    tokens: Mapping[str, str],
    paths: Sequence[str] = (PATH,),
    make: Callable[[str], Client] = HttpClient,
) -> list[SignIn]:
    """Ask for each path as an anonymous visitor and with each bearer token.

    `tokens` maps who asks to an access token. Raises CommandError when the edge does not answer.
    """
    client = make(url)
    rows: list[SignIn] = []
    visitors: list[tuple[str, str | None]] = [(ANONYMOUS, None), *tokens.items()]
    try:
        for path in paths:
            for who, token in visitors:
                headers = {"Accept": "application/json"}
                if token is not None:
                    headers["Authorization"] = f"Bearer {token}"
                answer = client.request("GET", path, headers)
                rows.append(SignIn(who, path, answer.status, reason(answer)))
    except ConnectionLostError as error:
        raise CommandError(f"The edge did not answer a sign-in ({error}).") from error
    finally:
        client.close()
    return rows


def reason(answer: Answer) -> str:
    """Return the reason an answer gives: from a JSON body, else from its challenge."""
    if answer.status == 200:
        return "passed"
    try:
        document = json.loads(answer.body)
    except ValueError:
        document = None
    if isinstance(document, dict):
        for key in ("reason", "code", "error"):
            if isinstance(document.get(key), str):
                return str(document[key])[:60]
    # RFC 6750 §3: a refused bearer token is explained by the challenge's `error`.
    challenge = re.search(r'error="([^"]{1,60})"', answer.challenge)
    return challenge[1] if challenge else ""
