"""The emails that the emulator's Amazon SES has sent."""

import json
import urllib.request
from typing import Any


def sent_emails(endpoint: str, timeout_s: float = 60) -> list[dict[str, Any]]:
    """Return all sent emails.

    Raises:
        OSError: The emulator didn't answer in time.
    """
    url = f"{endpoint}/_ministack/ses/messages"
    with urllib.request.urlopen(url, timeout=timeout_s) as answer:
        by_account: dict[str, list[dict[str, Any]]] = json.load(answer)["messages"]
    return [email for emails in by_account.values() for email in emails]
