"""Requests that a link in an email proves: the link's token and the emails' items.

The change of an address and the erasure of a student are such requests. The requests of the form
have the same limits, in the definition of the workflow `prove`.
"""

import hashlib
import secrets
from collections.abc import Mapping
from typing import Any, Final

from stepfunctions.accounts import item_key

#: 256 bits, so that a proof can't be guessed.
TOKEN_BYTES: Final = 32
#: How long the link works, in seconds, as that of a form.
PROOF_S: Final = 86_400
#: How long DynamoDB keeps a request without its proof, and the emails' items, in seconds.
KEEP_S: Final = 2 * 86_400
#: Emails with a proof that go to one address per day (UTC), counted with those of the form.
MAX_EMAILS_PER_DAY: Final = 5


def new_token() -> str:
    """Return the random token of a link, 43 characters of A-Z, a-z, 0-9, _ and -."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def digest(token: str) -> str:
    """Return what is stored of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def refusal(refusals: Mapping[str, tuple[int, str]], code: str) -> dict[str, Any]:
    """Return the answer with a code of `refusals`, which has the status and the detail of each."""
    status, detail = refusals[code]
    return {"status": status, "body": {"code": code, "detail": detail}}


def count_email(table: str, region: str, email_key: str, day: str, now: int) -> dict[str, Any]:
    """Return the action that counts an email to an address; it fails above the limit of the `day`.

    `day` is a date, `now` in seconds since the epoch, and `region` the one that exports the item.
    """
    return {
        "Update": {
            "TableName": table,
            "Key": item_key(f"PROOF#{email_key}", f"DAY#{day}"),
            "ConditionExpression": "attribute_not_exists(emails) OR emails < :max",
            "UpdateExpression": "SET expires_at = :expires, origin_region = :home ADD emails :one",
            "ExpressionAttributeValues": {
                ":max": {"N": str(MAX_EMAILS_PER_DAY)},
                ":one": {"N": "1"},
                ":home": {"S": region},
                ":expires": {"N": str(now + KEEP_S)},
            },
        }
    }


def put_message(
    table: str, region: str, owner: str, name: str, now: int, correlation_id: str, proof: str = ""
) -> dict[str, Any]:
    """Return the action that stores an email in the outbox of `ACCOUNT#<owner>`.

    `name` is the email's kind and the request's id, so the email is sent once. `proof` is for its
    link.
    """
    item = {
        **item_key(f"ACCOUNT#{owner}", f"OUTBOX#{name}"),
        "status": {"S": "ready"},
        "correlation_id": {"S": correlation_id},
        "origin_region": {"S": region},
        "expires_at": {"N": str(now + KEEP_S)},
    }
    if proof:
        item["proof"] = {"S": proof}
    return {"Put": {"TableName": table, "Item": item}}
