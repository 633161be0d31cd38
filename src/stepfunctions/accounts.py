"""The accounts table: who asked, who is a student, what is to be told.

| pk | sk | what |
|---|---|---|
| REQUEST#<requestId> | REQUEST | status, reasons, digest of a request; no personal data |
| ACCOUNT#<accountId> | PERSON | what the student wrote; expires until the account is created |
| ACCOUNT#<accountId> | ACCOUNT | status of an account |
| ACCOUNT#<accountId> | OUTBOX#AccountCreated | what the student must hear, held until it is true |
| EMAIL#<key> | EMAIL | whose address this is: the guard against a second account |
| SECRET | EMAIL | the secret of the keys of addresses |
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from stepfunctions import aws
from stepfunctions.rules import Person

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Account:
    """An account as the notifier sees it. `status` is pending, active or withdrawn."""

    account_id: str
    status: str


class Accounts:
    """The table. Raises TransientError and RefusedError where DynamoDB does not answer."""

    def __init__(self, table: str, dynamodb: "DynamoDBClient | None" = None) -> None:
        self._table = table
        self._given = dynamodb

    @property
    def _dynamodb(self) -> "DynamoDBClient":
        return self._given or client()

    def person(self, account_id: str) -> Person | None:
        """Return what the student wrote, or None where it is gone."""
        item = self._item(f"ACCOUNT#{account_id}", "PERSON")
        return None if item is None else _person(item)

    def whom(self, account_id: str) -> tuple[Account | None, Person | None]:
        """Return the account and what the student wrote, as they are at one moment."""
        with aws.answers("DynamoDB"):
            answer = self._dynamodb.query(
                TableName=self._table,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues={":pk": {"S": f"ACCOUNT#{account_id}"}},
                ConsistentRead=True,
            )
        rows: dict[str, Any] = {item["sk"]["S"]: item for item in answer["Items"]}
        account, person = rows.get("ACCOUNT"), rows.get("PERSON")
        return (
            None if account is None else Account(account_id, str(account["status"]["S"])),
            None if person is None else _person(person),
        )

    def owner(self, email_key: str) -> str | None:
        """Return whose address this is: the account's id, or None where it is nobody's."""
        item = self._item(f"EMAIL#{email_key}", "EMAIL")
        return None if item is None else str(item["account_id"]["S"])

    def statuses(self, request_ids: list[str]) -> dict[str, dict[str, Any]]:
        """Return {request id: {"status": …, "reasons": […]}} of at most 100 requests.

        A request that is not there is not in the answer. DynamoDB, "BatchGetItem": "up to 16 MB
        of data, which can comprise as many as 100 items".
        """
        wanted = {
            self._table: {
                "Keys": [_key(f"REQUEST#{one}", "REQUEST") for one in request_ids],
                "ConsistentRead": True,
                "ProjectionExpression": "pk, #status, reasons",
                "ExpressionAttributeNames": {"#status": "status"},
            }
        }
        found: dict[str, dict[str, Any]] = {}
        while wanted:
            with aws.answers("DynamoDB"):
                answer = self._dynamodb.batch_get_item(RequestItems=wanted)  # type: ignore[arg-type] # the stubs want every optional key
            for item in answer["Responses"].get(self._table, []):
                request_id = item["pk"]["S"].removeprefix("REQUEST#")
                found[request_id] = {
                    "status": item["status"]["S"],
                    "reasons": [
                        {name: it["S"] for name, it in one["M"].items()}
                        for one in item.get("reasons", {}).get("L", [])
                    ],
                }
            wanted = answer.get("UnprocessedKeys", {})  # type: ignore[assignment] # the same shape
        return found

    def secret(self) -> bytes:
        """Return the secret of the keys of addresses, made at the first use of the table.

        It lies beside what it keys: who has lost one of the two has lost nothing more.
        """
        item = self._item("SECRET", "EMAIL")
        if item is None:
            made = {**_key("SECRET", "EMAIL"), "secret": {"S": secrets.token_hex(SECRET_BYTES)}}
            aws.unless(
                "ConditionalCheckFailedException",
                "DynamoDB",
                lambda: self._dynamodb.put_item(
                    TableName=self._table,
                    Item=made,
                    ConditionExpression="attribute_not_exists(pk)",
                ),
            )
            # Whoever was first, one secret is there now.
            item = self._item("SECRET", "EMAIL")
            assert item is not None
        return bytes.fromhex(item["secret"]["S"])

    def _item(self, pk: str, sk: str) -> Mapping[str, Any] | None:
        with aws.answers("DynamoDB"):
            answer = self._dynamodb.get_item(
                TableName=self._table, Key=_key(pk, sk), ConsistentRead=True
            )
        return answer.get("Item")


def _key(pk: str, sk: str) -> dict[str, Any]:
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
    )


@cache
def client() -> "DynamoDBClient":
    """The client of this process, made at its first use."""
    client_of: DynamoDBClient = aws.client("dynamodb")
    return client_of
