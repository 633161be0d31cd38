"""The emails that the emulator's Amazon SES has sent."""

import json
import urllib.request
from typing import Any


def sent_emails(endpoint: str) -> list[dict[str, Any]]:
    """Return all sent emails."""
    with urllib.request.urlopen(f"{endpoint}/_ministack/ses/messages", timeout=60) as answer:
        by_account: dict[str, list[dict[str, Any]]] = json.load(answer)["messages"]
    return [email for emails in by_account.values() for email in emails]
