"""Request a page for students like a browser: the visitor must get the sign-in page."""

import urllib.error
import urllib.request
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from tools.deployment.smoke.target import Target
from tools.replay.access_check import PAID_PATH
from tools.replay.http_client import TIMEOUT_S, USER_AGENT

#: The output with the name of the sign-in pages; none for that of Cognito.
_HOST: Final = "SignInHost"


def check_sign_in(target: Target) -> list[str]:
    """Return what is wrong with the sign-in page; an empty list if a visitor gets it."""
    page = f"{target.url}{PAID_PATH}"
    headers = {"Accept": "text/html", "User-Agent": USER_AGENT}
    request = urllib.request.Request(page, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
            status, address = response.status, urlsplit(response.url)
    except urllib.error.HTTPError as error:
        return [f"{error.url.partition('?')[0]} answered {error.code}"]
    except OSError as error:
        return [f"the sign-in page of {page} got no answer: {error}"]
    expected = target.stack.outputs.get(_HOST, "none")
    if status != HTTPStatus.OK or address.netloc == urlsplit(target.url).netloc:
        return [f"{page} answered {status} at {address.netloc}, without a sign-in page"]
    if expected != "none" and address.hostname != expected:
        return [f"the sign-in page of {page} is at {address.hostname}, not at {expected}"]
    return []
