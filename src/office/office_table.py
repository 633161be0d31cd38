"""The adapter of the office's table.

| pk | sk | item |
|---|---|---|
| `STUDENT#<sub>` | `ACCESS` | the last change of the paid access, and whether it is applied |
| `STUDENT#<sub>` | `ACCESS#<course>` | the same for a course |
| `STUDENT#<sub>` | `COURSES` | the courses that the student may open (src/entitlements) |
| `STUDENT#<sub>` | `REQUEST#<id>` | that a change was recorded, for repeated requests; expires |
| `STUDENT#<sub>` | `CHANGE#<time>#<id>` | the change: who, when, why |
| `STUDENT#<sub>` | `VIEW#<time>#<id>` | that a member of staff opened the student; expires |
| `FEEDBACK` | `<feedbackId>` | feedback of a student with its mark (feedback.py); expires |
| `PARKED` | `<parkedId>` | a parked request (parked_queue.py); expires once it is handled |
| `STAFF#<sub>` | `SEARCH#<time>#<id>` | which students a search of staff showed; expires |
"""

from datetime import UTC, datetime
from typing import Any, Final

from office.aws_calls import call
from office.errors import AccessChangingError, CourseLimitError, RequestReusedError
from office.model import Access, AccessChange, AuditEntry

#: How long other changes wait: twice the function's timeout and more, in milliseconds.
BUSY_MS: Final = 60_000
#: After that, the execution of a repeated request can't be in doubt any more.
REQUEST_S: Final = 30 * 86_400
#: Records of reads are kept for 400 days, so that a year's questions can be answered.
VIEW_S: Final = 400 * 86_400
MAX_ENTRIES: Final = 50
#: As many ids of 32 characters fit into the session's cookies (edge_auth.session), which a test
#: checks.
MAX_COURSES: Final = 100
#: The condition of an item, or another transaction on it at the same time.
_CONFLICTS: Final = frozenset({"ConditionalCheckFailed", "TransactionConflict"})
_NOT_BUSY: Final = "(attribute_not_exists(busy_until) OR busy_until < :now)"
_BUSY_MESSAGE: Final = "Another change of this access is being applied. Try again in a moment."


class OfficeTable:
    """The table, with a low-level DynamoDB client."""

    def __init__(self, dynamodb: Any, name: str) -> None:
        self._dynamodb = dynamodb
        self._name = name

    def access(self, student: str, course: str = "") -> Access | None:
        """Return the last change of a student's access to the paid pages or a course, or None.

        Raises:
            UnavailableError: DynamoDB failed.
        """
        item = self._get(student, _access_key(course))
        if item is None:
            return None
        return Access(
            item["change_id"]["S"],
            item["paid"]["BOOL"],
            item["applied"]["BOOL"],
            int(item.get("busy_until", {"N": "0"})["N"]),
        )

    def begin(self, change: AccessChange, now_ms: int) -> bool:
        """Record a change and take the right to apply it; False if it needs no application.

        A repeated request records nothing: it takes the right again if its change is the last one
        and not applied, else there is nothing to do.

        Raises:
            AccessChangingError: Another change is being applied.
            RequestReusedError: The id belongs to another change.
            UnavailableError: DynamoDB failed.
        """
        causes = self._record(change, now_ms)
        if not causes:
            return True
        if causes[1] == "ConditionalCheckFailed":
            return self._resume(change, now_ms)
        raise AccessChangingError(_BUSY_MESSAGE)

    def _record(self, change: AccessChange, now_ms: int) -> list[str]:
        """Write the items of a change; return the actions' codes if a condition failed."""
        from botocore.exceptions import ClientError

        at = time_text(now_ms)
        actions = [
            {"Update": self._taking(change, now_ms, _NOT_BUSY)},
            self._put(
                f"STUDENT#{change.student}",
                f"REQUEST#{change.id}",
                {
                    "paid": {"BOOL": change.paid},
                    "course": {"S": change.course},
                    "expires_at": {"N": str(now_ms // 1000 + REQUEST_S)},
                },
            ),
            self._put(
                f"STUDENT#{change.student}",
                f"CHANGE#{at}#{change.id}",
                {
                    "at": {"S": at},
                    "paid": {"BOOL": change.paid},
                    "course": {"S": change.course},
                    "reason": {"S": change.reason},
                    "by_staff": {"S": change.by},
                    "by_email": {"S": change.by_email},
                },
            ),
        ]

        def send() -> list[str]:
            try:
                self._dynamodb.transact_write_items(TransactItems=actions)
            except ClientError as error:
                codes = [it.get("Code", "") for it in error.response.get("CancellationReasons", [])]
                if _CONFLICTS & set(codes):
                    return codes
                raise
            return []

        return call(send)

    def _resume(self, change: AccessChange, now_ms: int) -> bool:
        recorded = self._get(change.student, f"REQUEST#{change.id}")
        if recorded is not None and (recorded["paid"]["BOOL"], _course(recorded)) != (
            change.paid,
            change.course,
        ):
            raise RequestReusedError("This requestId belongs to another change.")
        access = self.access(change.student, change.course)
        if access is None or access.change != change.id or access.applied:
            return False
        taking = self._taking(change, now_ms, f"change_id = :id AND applied = :no AND {_NOT_BUSY}")
        if not self._conditional(taking):
            raise AccessChangingError(_BUSY_MESSAGE)
        return True

    def finish(self, change: AccessChange, *, applied: bool) -> None:
        """End the right to apply a change, whether it is applied or not.

        Raises:
            UnavailableError: DynamoDB failed. The right ends by itself.
        """
        self._conditional(
            {
                "TableName": self._name,
                "Key": _key(f"STUDENT#{change.student}", _access_key(change.course)),
                "ConditionExpression": "change_id = :id",
                "UpdateExpression": "SET applied = :applied REMOVE busy_until",
                "ExpressionAttributeValues": {
                    ":id": {"S": change.id},
                    ":applied": {"BOOL": applied},
                },
            }
        )

    def courses(self, student: str) -> list[str]:
        """Return the ids of the courses that a student may open, sorted.

        Raises:
            UnavailableError: DynamoDB failed.
        """
        item = self._get(student, "COURSES") or {}
        return sorted(item.get("courses", {}).get("SS", []))

    def set_course(self, student: str, course: str, *, paid: bool) -> None:
        """Open a course for a student, or close it; both can be repeated.

        Raises:
            CourseLimitError: The student has MAX_COURSES others.
            UnavailableError: DynamoDB failed.
        """
        update: dict[str, Any] = {
            "TableName": self._name,
            "Key": _key(f"STUDENT#{student}", "COURSES"),
            "UpdateExpression": f"{'ADD' if paid else 'DELETE'} courses :course",
            "ExpressionAttributeValues": {":course": {"SS": [course]}},
        }
        if paid:
            update["ConditionExpression"] = (
                "attribute_not_exists(courses) OR contains(courses, :name) OR size(courses) < :most"
            )
            update["ExpressionAttributeValues"] |= {
                ":name": {"S": course},
                ":most": {"N": str(MAX_COURSES)},
            }
        if not self._conditional(update):
            raise CourseLimitError(f"A student can have at most {MAX_COURSES} courses.")

    def history(self, student: str) -> list[AuditEntry]:
        """Return the newest changes of a student's paid access, at most MAX_ENTRIES.

        Raises:
            UnavailableError: DynamoDB failed.
        """
        page = call(
            lambda: self._dynamodb.query(
                TableName=self._name,
                KeyConditionExpression="pk = :pk AND begins_with(sk, :change)",
                ExpressionAttributeValues={
                    ":pk": {"S": f"STUDENT#{student}"},
                    ":change": {"S": "CHANGE#"},
                },
                ScanIndexForward=False,
                Limit=MAX_ENTRIES,
                ConsistentRead=True,
            )
        )
        return [
            AuditEntry(
                it["at"]["S"],
                it["paid"]["BOOL"],
                it["reason"]["S"],
                it["by_email"]["S"],
                _course(it),
            )
            for it in page["Items"]
        ]

    def record_search(self, staff: str, request_id: str, students: list[str], now_ms: int) -> None:
        """Record which students a search showed.

        Raises:
            UnavailableError: DynamoDB failed.
        """
        self._record_read(
            f"STAFF#{staff}",
            f"SEARCH#{time_text(now_ms)}#{request_id}",
            {"students": {"L": [{"S": it} for it in students]}},
            now_ms,
        )

    def record_view(self, staff: str, request_id: str, student: str, now_ms: int) -> None:
        """Record that a member of staff opened a student.

        Raises:
            UnavailableError: DynamoDB failed.
        """
        self._record_read(
            f"STUDENT#{student}",
            f"VIEW#{time_text(now_ms)}#{request_id}",
            {"by_staff": {"S": staff}},
            now_ms,
        )

    def _record_read(self, pk: str, sk: str, values: dict[str, Any], now_ms: int) -> None:
        expires = {"expires_at": {"N": str(now_ms // 1000 + VIEW_S)}}
        item = _key(pk, sk) | values | expires
        call(lambda: self._dynamodb.put_item(TableName=self._name, Item=item))

    def _taking(self, change: AccessChange, now_ms: int, condition: str) -> dict[str, Any]:
        values = {
            ":id": {"S": change.id},
            ":paid": {"BOOL": change.paid},
            ":no": {"BOOL": False},
            ":now": {"N": str(now_ms)},
            ":until": {"N": str(now_ms + BUSY_MS)},
        }
        return {
            "TableName": self._name,
            "Key": _key(f"STUDENT#{change.student}", _access_key(change.course)),
            "ConditionExpression": condition,
            "UpdateExpression": (
                "SET change_id = :id, paid = :paid, applied = :no, busy_until = :until"
            ),
            "ExpressionAttributeValues": values,
        }

    def _put(self, pk: str, sk: str, values: dict[str, Any]) -> dict[str, Any]:
        return {
            "Put": {
                "TableName": self._name,
                "Item": _key(pk, sk) | values,
                "ConditionExpression": "attribute_not_exists(pk)",
            }
        }

    def _get(self, student: str, sk: str) -> dict[str, Any] | None:
        page = call(
            lambda: self._dynamodb.get_item(
                TableName=self._name, Key=_key(f"STUDENT#{student}", sk), ConsistentRead=True
            )
        )
        item: dict[str, Any] | None = page.get("Item")
        return item

    def _conditional(self, update: dict[str, Any]) -> bool:
        """Update an item; False if its condition failed."""
        from botocore.exceptions import ClientError

        def send() -> bool:
            try:
                self._dynamodb.update_item(**update)
            except ClientError as error:
                if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                    return False
                raise
            return True

        return call(send)


def time_text(time_ms: int) -> str:
    """Return a time such as 2026-12-01T09:30:00.123Z."""
    text = datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _access_key(course: str) -> str:
    return f"ACCESS#{course}" if course else "ACCESS"


def _course(item: dict[str, Any]) -> str:
    """Return the course of an item; items of earlier versions have none."""
    return str(item.get("course", {"S": ""})["S"])


def _key(pk: str, sk: str) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": sk}}
