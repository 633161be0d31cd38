"""DynamoDB adapter of the accounts table.

| pk | sk | attributes |
|---|---|---|
| REQUEST#<requestId> | REQUEST | status, reasons, digest and proof of a request; no personal data |
| ACCOUNT#<accountId> | PERSON | the form, and a guardian's consent; expires without an account |
| ACCOUNT#<accountId> | ACCOUNT | status of the account |
| ACCOUNT#<accountId> | OUTBOX#AccountCreated | the pending notification, held until activation |
| ACCOUNT#<accountId> | OUTBOX#ProofRequested | the proof for the form's address; expires |
| ACCOUNT#<accountId> | OUTBOX#AccountExists | the same for an address with an account; expires |
| ACCOUNT#<accountId> | OUTBOX#ConsentRequested | the proof for the guardian's address; expires |
| OPEN | <requestId> | mark of a request whose account isn't created or passed on yet |
| PROOF#<key> | DAY#<date> | number of emails that asked an address for a proof; expires |
| EMAIL#<key> | EMAIL | the account that owns the address; prevents a second account |
| SUPPRESSED#<key> | EMAIL | bounce or complaint: the address gets no emails until it expires |
| SECRET | EMAIL | the HMAC secret of the email keys |
| ACCOUNT#<accountId> | ADDRESS, and OUTBOX# of its emails | see address_table.py |
| ERASURE#<key> | ERASURE | see erasure_table.py |
| EXPORT#<key> | EXPORT | see export_table.py |
| STUDENT#<sub> | OUTBOX#APPOINTMENT#<start>/<advisor> | see appointment_notice.py |
"""

import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from stepfunctions import appointment_notice, aws
from stepfunctions.appointment_notice import NewestChange, Notice
from stepfunctions.validation_rules import Person

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SECRET_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Account:
    """An account's id and its status: pending, active or withdrawn."""

    account_id: str
    status: str


class Accounts:
    """The accounts table."""

    def __init__(self, table: str, dynamodb: "DynamoDBClient | None" = None) -> None:
        self._table = table
        self._injected = dynamodb
        self._email_secret = b""

    @property
    def _dynamodb(self) -> "DynamoDBClient":
        return self._injected or client()

    def person(self, account_id: str) -> Person | None:
        """Return the submitted form, or None if it was deleted or has expired.

        Raises:
            TransientError: DynamoDB failed temporarily.
            PermanentError: DynamoDB rejected the request.
        """
        item = self._item(f"ACCOUNT#{account_id}", "PERSON")
        return None if item is None else _person(item)

    def account_and_person(self, account_id: str) -> tuple[Account | None, Person | None]:
        """Return the account and the submitted form, read in one consistent query.

        Raises:
            TransientError: DynamoDB failed temporarily.
            PermanentError: DynamoDB rejected the request.
        """
        rows = self._account_rows(account_id)
        account, person = rows.get("ACCOUNT"), rows.get("PERSON")
        return (
            None if account is None else Account(account_id, str(account["status"]["S"])),
            None if person is None else _person(person),
        )

    def person_and_proof(self, account_id: str, kind: str) -> tuple[Person | None, str]:
        """Return the submitted form, and the proof of a message's kind, "" without a proof.

        Raises:
            TransientError: DynamoDB failed temporarily.
            PermanentError: DynamoDB rejected the request.
        """
        rows = self._account_rows(account_id)
        person, item = rows.get("PERSON"), rows.get(f"OUTBOX#{kind}", {})
        return (
            None if person is None else _person(person),
            str(item.get("proof", {}).get("S", "")),
        )

    def person_and_change(self, account_id: str, kind: str) -> tuple[Person | None, str, str]:
        """Return a student, the address that a change would have, and the proof of a message.

        `kind` is that of the message. The address is "" if the last change is another one.

        Raises:
            TransientError: DynamoDB failed temporarily.
            PermanentError: DynamoDB rejected the request.
        """
        rows = self._account_rows(account_id)
        person, change = rows.get("PERSON"), rows.get("ADDRESS", {})
        is_of_change = change.get("change_id", {}).get("S") == kind.partition("-")[2]
        return (
            None if person is None else _person(person),
            str(change["email"]["S"]) if is_of_change else "",
            str(rows.get(f"OUTBOX#{kind}", {}).get("proof", {}).get("S", "")),
        )

    def erasure(self, key: str, kind: str) -> tuple[Person | None, str]:
        """Return who gets an email about an erasure, None at its end, and the message's proof.

        Raises:
            TransientError: DynamoDB failed temporarily.
            PermanentError: DynamoDB rejected the request.
        """
        return self._recipient_and_proof(f"ERASURE#{key}", "ERASURE", key, kind)

    def export(self, key: str, kind: str) -> tuple[Person | None, str]:
        """Return who gets the email with an export's link, and the message's proof.

        Raises:
            TransientError: DynamoDB failed temporarily.
            PermanentError: DynamoDB rejected the request.
        """
        return self._recipient_and_proof(f"EXPORT#{key}", "EXPORT", key, kind)

    def _recipient_and_proof(
        self, pk: str, sk: str, key: str, kind: str
    ) -> tuple[Person | None, str]:
        item = self._item(pk, sk)
        is_of_message = item is not None and item["request_id"]["S"] == kind.partition("-")[2]
        if item is None or not is_of_message or "email" not in item:
            return None, ""
        message = self._item(f"ACCOUNT#{key}", f"OUTBOX#{kind}") or {}
        return _person(item), str(message.get("proof", {}).get("S", ""))

    def mark_emailed(self, key: str) -> None:
        """Record that the notification of an erasure was sent, so that its address is deleted.

        Raises:
            TransientError: DynamoDB failed temporarily.
            PermanentError: DynamoDB rejected the request.
        """
        aws.ignore_error(
            "ConditionalCheckFailedException",
            "DynamoDB",
            lambda: self._dynamodb.update_item(
                TableName=self._table,
                Key=item_key(f"ERASURE#{key}", "ERASURE"),
                ConditionExpression="attribute_exists(pk)",
                UpdateExpression="SET #emailed = :yes",
                ExpressionAttributeNames={"#emailed": "emailed"},
                ExpressionAttributeValues={":yes": {"BOOL": True}},
            ),
        )

    def update_person(self, account_id: str, person: Person) -> None:
        """Change the stored data of a student, whose item must exist.

        Raises:
            TransientError: DynamoDB failed temporarily.
            PermanentError: DynamoDB rejected the request, or the item doesn't exist.
        """
        fields = {name: value for name, value in asdict(person).items() if value is not None}
        with aws.translate_errors("DynamoDB"):
            self._dynamodb.update_item(
                TableName=self._table,
                Key=item_key(f"ACCOUNT#{account_id}", "PERSON"),
                ConditionExpression="attribute_exists(pk)",
                UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in fields),
                ExpressionAttributeNames={f"#{name}": name for name in fields},
                ExpressionAttributeValues={f":{name}": {"S": it} for name, it in fields.items()},
            )

    def email_owner(self, email_key: str) -> str | None:
        """Return the id of the account that owns the address, or None if it is available.

        Raises:
            TransientError: DynamoDB failed temporarily.
            PermanentError: DynamoDB rejected the request.
        """
        item = self._item(f"EMAIL#{email_key}", "EMAIL")
        return None if item is None else str(item["account_id"]["S"])

    def appointment(self, notice: Notice) -> NewestChange | None:
        """Return the newest change of the appointment at a notice's start; None if it has moved.

        Raises:
            TransientError: DynamoDB failed temporarily.
            PermanentError: DynamoDB rejected the request.
        """
        pk = f"{appointment_notice.OWNER_PREFIX}{notice.student}"
        item = self._item(pk, notice.sort_key)
        return None if item is None else appointment_notice.newest_change(item)

    def is_suppressed(self, email_key: str) -> bool:
        """Return whether the address gets no emails because of a bounce or a complaint.

        Raises:
            TransientError: DynamoDB failed temporarily.
            PermanentError: DynamoDB rejected the request.
        """
        return self._item(f"SUPPRESSED#{email_key}", "EMAIL") is not None

    def suppress(self, email_key: str, reason: str, account_id: str, expires_at: int) -> None:
        """Send no further emails to an address, until DynamoDB deletes the item.

        `account_id`: the request whose email came back, by which an operator finds the item.
        `expires_at` is in seconds since the epoch. The first reason stays.

        Raises:
            TransientError: DynamoDB failed temporarily.
            PermanentError: DynamoDB rejected the request.
        """
        item = {
            **item_key(f"SUPPRESSED#{email_key}", "EMAIL"),
            "reason": {"S": reason},
            "account_id": {"S": account_id},
            "expires_at": {"N": str(expires_at)},
        }
        aws.ignore_error(
            "ConditionalCheckFailedException",
            "DynamoDB",
            lambda: self._dynamodb.put_item(
                TableName=self._table, Item=item, ConditionExpression="attribute_not_exists(pk)"
            ),
        )

    def request_statuses(self, request_ids: list[str]) -> dict[str, dict[str, Any]]:
        """Return {request id: {"status": …, "reasons": […]}} for at most 100 requests.

        The result omits unknown requests. DynamoDB, "BatchGetItem": "up to 16 MB of data, which
        can comprise as many as 100 items".

        Raises:
            TransientError: DynamoDB failed temporarily.
            PermanentError: DynamoDB rejected the request.
        """
        pending = {
            self._table: {
                "Keys": [
                    item_key(f"REQUEST#{request_id}", "REQUEST") for request_id in request_ids
                ],
                "ConsistentRead": True,
                "ProjectionExpression": "pk, #status, reasons",
                "ExpressionAttributeNames": {"#status": "status"},
            }
        }
        statuses: dict[str, dict[str, Any]] = {}
        while pending:
            with aws.translate_errors("DynamoDB"):
                answer = self._dynamodb.batch_get_item(RequestItems=pending)  # type: ignore[arg-type] # the stubs require every optional key
            for item in answer["Responses"].get(self._table, []):
                request_id = item["pk"]["S"].removeprefix("REQUEST#")
                statuses[request_id] = {
                    "status": item["status"]["S"],
                    "reasons": [
                        {name: value["S"] for name, value in reason["M"].items()}
                        for reason in item.get("reasons", {}).get("L", [])
                    ],
                }
            pending = answer.get("UnprocessedKeys", {})  # type: ignore[assignment] # the same shape
        return statuses

    def email_secret(self) -> bytes:
        """Return the HMAC secret of the email keys, which never changes.

        The first call on a new table creates it. The table holds the secret beside the keys
        because one is useless without the other.

        Raises:
            TransientError: DynamoDB failed temporarily.
            PermanentError: DynamoDB rejected the request.
        """
        if self._email_secret:
            return self._email_secret
        item = self._item("SECRET", "EMAIL")
        if item is None:
            new = {**item_key("SECRET", "EMAIL"), "secret": {"S": secrets.token_hex(SECRET_BYTES)}}
            aws.ignore_error(
                "ConditionalCheckFailedException",
                "DynamoDB",
                lambda: self._dynamodb.put_item(
                    TableName=self._table,
                    Item=new,
                    ConditionExpression="attribute_not_exists(pk)",
                ),
            )
            # A concurrent call may have won the condition: read the stored secret.
            item = self._item("SECRET", "EMAIL")
            assert item is not None
        self._email_secret = bytes.fromhex(item["secret"]["S"])
        return self._email_secret

    def _account_rows(self, account_id: str) -> dict[str, Any]:
        """Return the account's items by sort key."""
        with aws.translate_errors("DynamoDB"):
            answer = self._dynamodb.query(
                TableName=self._table,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues={":pk": {"S": f"ACCOUNT#{account_id}"}},
                ConsistentRead=True,
            )
        return {item["sk"]["S"]: item for item in answer["Items"]}

    def _item(self, pk: str, sk: str) -> Mapping[str, Any] | None:
        with aws.translate_errors("DynamoDB"):
            answer = self._dynamodb.get_item(
                TableName=self._table, Key=item_key(pk, sk), ConsistentRead=True
            )
        return answer.get("Item")


def item_key(pk: str, sk: str) -> dict[str, Any]:
    """Return the key of an item."""
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def _person(item: Mapping[str, Any]) -> Person:
    def text(name: str) -> str | None:
        return str(item[name]["S"]) if name in item else None

    return Person(
        email=text("email") or "",
        name=text("name") or "",
        date_of_birth=text("date_of_birth"),
        programme=text("programme"),
        locale=text("locale"),
        guardian_email=text("guardian_email"),
    )


@cache
def client() -> "DynamoDBClient":
    """Return the process's DynamoDB client, created on the first call."""
    dynamodb: DynamoDBClient = aws.client("dynamodb")
    return dynamodb
