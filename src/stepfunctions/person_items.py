"""DynamoDB adapter of everything that the tables know about a student, for an erasure."""

from dataclasses import dataclass
from typing import Any, Final, Self

from stepfunctions import aws
from stepfunctions.settings import Settings

#: Appointments that one invocation reads.
PAGE: Final = 25
#: Attributes of a slot's item that the student's appointment had.
OF_APPOINTMENT: Final = (
    *("student", "note", "reason", "moved_from", "cancel_until"),
    *("calendar_id", "calendar_revision"),
)
#: The attributes that each change of an item sets.
_CHANGED: Final = {
    "version": "if_not_exists(version, :none) + :one",
    "origin_region": ":region",
    "updated_at": ":now",
}

type Item = dict[str, Any]
#: A table's name, and a key.
type Key = tuple[str, Item]


@dataclass(frozen=True, slots=True)
class Tables:
    """The names of the tables."""

    accounts: str
    appointments: str
    profiles: str
    office: str

    @classmethod
    def of(cls, named: Settings) -> Self:
        """Return the names in a function's settings.

        Raises:
            SettingsError: An environment variable is missing.
        """
        names = ("accounts_table", "appointments_table", "profiles_table", "office_table")
        return cls(*(named.require(name) for name in names))


class PersonItems:
    """The tables of a Region, for one student: the user's `sub`, and the account's id or ""."""

    def __init__(self, tables: Tables, region: str, dynamodb: Any) -> None:
        self._tables = tables
        self._region = region
        self._dynamodb = dynamodb

    def appointments(self, student: str) -> list[Item]:
        """Return up to PAGE appointments. The index may still have those that changed just now.

        Raises:
            TransientError: DynamoDB failed temporarily.
            PermanentError: DynamoDB rejected the request.
        """
        with aws.translate_errors("DynamoDB"):
            items: list[Item] = self._dynamodb.query(
                TableName=self._tables.appointments,
                IndexName="by_student",
                KeyConditionExpression="student = :student",
                ExpressionAttributeValues={":student": {"S": student}},
                Limit=PAGE,
            )["Items"]
        return items

    def forget(self, student: str, item: Item, now_ms: int) -> bool:
        """Remove the student from a past appointment, which stays; False if it was done before.

        Raises:
            TransientError: DynamoDB failed temporarily.
            PermanentError: DynamoDB rejected the request.
        """
        assigned = ", ".join(f"{name} = {value}" for name, value in _CHANGED.items())
        answer = aws.ignore_error(
            "ConditionalCheckFailedException",
            "DynamoDB",
            lambda: self._dynamodb.update_item(
                TableName=self._tables.appointments,
                Key=_key(item),
                ConditionExpression="student = :student",
                UpdateExpression=f"SET {assigned} REMOVE {', '.join(OF_APPOINTMENT)}",
                ExpressionAttributeValues={
                    ":student": {"S": student},
                    ":none": {"N": "0"},
                    ":one": {"N": "1"},
                    ":region": {"S": self._region},
                    # The lake gets the update as a change of this Region.
                    ":now": {"N": str(now_ms)},
                },
            ),
        )
        return answer is not None

    def keys(self, student: str, account: str) -> list[Key]:
        """Return the keys of the student's items, that of the address first.

        Raises:
            TransientError: DynamoDB failed temporarily.
            PermanentError: DynamoDB rejected the request.
        """
        names, owner = self._tables, f"STUDENT#{student}"
        keys: list[Key] = []
        if account:
            items = self._partition(names.accounts, f"ACCOUNT#{account}")
            # Only the account's item has the key of the address.
            keys += [(names.accounts, it) for it in map(_address_key, items) if it]
            keys += [(names.accounts, _key(it)) for it in items]
        for table in (names.accounts, names.appointments, names.office):
            keys += [(table, _key(it)) for it in self._partition(table, owner)]
        feedback = self._partition(names.office, "FEEDBACK", student)
        keys += [(names.office, _key(it)) for it in feedback]
        profile = {"pk": {"S": owner}}
        if self._exists(names.profiles, profile):
            keys.append((names.profiles, profile))
        return keys

    def delete(self, key: Key) -> None:
        """Delete an item; again without an effect.

        Raises:
            TransientError: DynamoDB failed temporarily.
            PermanentError: DynamoDB rejected the request.
        """
        with aws.translate_errors("DynamoDB"):
            self._dynamodb.delete_item(TableName=key[0], Key=key[1])

    def _partition(self, table: str, pk: str, student: str = "") -> list[Item]:
        """Return the items of a partition, or those of a student in it."""
        values = {":pk": {"S": pk}}
        query: dict[str, Any] = {
            "TableName": table,
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": values,
            "ConsistentRead": True,
        }
        if student:
            query["FilterExpression"] = "student = :student"
            values[":student"] = {"S": student}
        items: list[Item] = []
        with aws.translate_errors("DynamoDB"):
            while True:
                page = self._dynamodb.query(**query)
                items += page["Items"]
                if "LastEvaluatedKey" not in page:
                    return items
                query["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def _exists(self, table: str, key: Item) -> bool:
        with aws.translate_errors("DynamoDB"):
            answer = self._dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True)
        return "Item" in answer


def _address_key(item: Item) -> Item | None:
    """Return the key of the address that an account's item owns, or a change has reserved."""
    if "email_key" in item:
        owned = item["email_key"]["S"]
    elif item["sk"]["S"] == "ADDRESS" and item["status"]["S"] == "changing":
        owned = item["new_key"]["S"]
    else:
        return None
    return {"pk": {"S": f"EMAIL#{owned}"}, "sk": {"S": "EMAIL"}}


def _key(item: Item) -> Item:
    return {"pk": item["pk"], "sk": item["sk"]}
