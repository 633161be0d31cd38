"""DynamoDB adapter of the items about a student, page by page, for an export."""

from collections.abc import Mapping
from typing import Any, Final

from stepfunctions import aws
from stepfunctions.person_items import Tables

#: Items that one call reads. Of the office's inbox it reads all students' feedback.
PAGE: Final = 500
#: The sections of tables, in the order of the file's members.
SECTIONS: Final = (
    *("account", "emailsAboutAppointments", "appointments", "bookedSlots"),
    *("preferences", "paidAccess", "feedback"),
)
#: Attributes that would let a reader of the file act for the student.
_SECRETS: Final = frozenset({"proof", "proof_digest", "digest", "new_proof", "old_proof"})

type Item = dict[str, Any]


class ExportedItems:
    """The tables of the home Region, for one student: the user's `sub`, the account's id or ""."""

    def __init__(self, tables: Tables, dynamodb: Any) -> None:
        self._tables = tables
        self._dynamodb = dynamodb

    def page(
        self, section: str, student: str, account: str, start: Item | None
    ) -> tuple[list[dict[str, Any]], Item | None]:
        """Return a page of a section as JSON documents, and the next page's start or None.

        Raises:
            TransientError: DynamoDB failed temporarily.
            PermanentError: DynamoDB rejected the request.
        """
        query = self._query(section, student, account)
        if start:
            query["ExclusiveStartKey"] = start
        with aws.translate_errors("DynamoDB"):
            page = self._dynamodb.query(**query, Limit=PAGE)
        return [plain(it) for it in page["Items"]], page.get("LastEvaluatedKey")

    def _query(self, section: str, student: str, account: str) -> dict[str, Any]:
        names, owner = self._tables, f"STUDENT#{student}"
        if section == "appointments":
            return {
                "TableName": names.appointments,
                "IndexName": "by_student",
                "KeyConditionExpression": "student = :student",
                "ExpressionAttributeValues": {":student": {"S": student}},
            }
        table, pk = {
            "account": (names.accounts, f"ACCOUNT#{account}"),
            "emailsAboutAppointments": (names.accounts, owner),
            "bookedSlots": (names.appointments, owner),
            "preferences": (names.profiles, owner),
            "paidAccess": (names.office, owner),
            "feedback": (names.office, "FEEDBACK"),
        }[section]
        query: dict[str, Any] = {
            "TableName": table,
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": pk}},
            "ConsistentRead": True,
        }
        if section == "feedback":
            query["FilterExpression"] = "student = :student"
            query["ExpressionAttributeValues"][":student"] = {"S": student}
        return query


def plain(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return an item as JSON, without secrets."""
    return {name: _value(it) for name, it in sorted(item.items()) if name not in _SECRETS}


def _value(value: Mapping[str, Any]) -> Any:
    ((kind, content),) = value.items()
    if kind == "M":
        return {name: _value(it) for name, it in content.items()}
    if kind == "L":
        return [_value(it) for it in content]
    if kind == "NULL":
        return None
    if kind == "N":
        return float(content) if "." in content else int(content)
    return content
