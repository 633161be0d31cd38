"""The adapters that read a student's account and coming appointments, and revoke tokens."""

import json
from typing import Any, Final

from office.aws_calls import call
from office.errors import UnavailableError, UnknownStudentError
from office.model import Account, Appointment
from office.office_table import time_text

#: More than any advisor's maximum per student.
MAX_APPOINTMENTS: Final = 50


class Records:
    """Other components' tables, and the function of the deny-list."""

    def __init__(
        self, dynamodb: Any, functions: Any, accounts: str, appointments: str, revocations: str
    ) -> None:
        self._dynamodb = dynamodb
        self._functions = functions
        self._accounts = accounts
        self._appointments = appointments
        self._revocations = revocations

    def account(self, account_id: str) -> Account:
        """Return the state of an account; "none" if it has no item.

        Raises:
            UnavailableError: DynamoDB failed.
        """
        if not account_id:
            return Account()
        # The role allows these attributes only: the account's items have personal data, too.
        page = call(
            lambda: self._dynamodb.get_item(
                TableName=self._accounts,
                Key={"pk": {"S": f"ACCOUNT#{account_id}"}, "sk": {"S": "ACCOUNT"}},
                ConsistentRead=True,
                ProjectionExpression="pk, sk, #status, created_at",
                ExpressionAttributeNames={"#status": "status"},
            )
        )
        item = page.get("Item")
        if item is None:
            return Account()
        return Account(item["status"]["S"], item.get("created_at", {}).get("S", ""))

    def appointments(self, student: str, now_ms: int) -> list[Appointment]:
        """Return the student's coming appointments, at most MAX_APPOINTMENTS.

        Raises:
            UnavailableError: DynamoDB failed.
        """
        now = time_text(now_ms)[:19] + "Z"
        page = call(
            lambda: self._dynamodb.query(
                TableName=self._appointments,
                IndexName="by_student",
                KeyConditionExpression="student = :student AND sk >= :from",
                ExpressionAttributeValues={
                    ":student": {"S": student},
                    ":from": {"S": f"SLOT#{now}"},
                },
                Limit=MAX_APPOINTMENTS,
            )
        )
        return [
            Appointment(it["pk"]["S"].removeprefix("ADVISOR#"), it["sk"]["S"].removeprefix("SLOT#"))
            for it in page["Items"]
        ]

    def revoke_tokens(self, student: str) -> int:
        """Sign a student out everywhere; return within how many seconds every process refuses.

        Raises:
            UnknownStudentError: The pool has no such user any more.
            UnavailableError: The function failed, or the deny-list is full.
        """
        response = call(
            lambda: self._functions.invoke(
                FunctionName=self._revocations, Payload=json.dumps({"user": student}).encode()
            )
        )
        result = json.loads(response["Payload"].read() or b"{}")
        status = result.get("status") if "FunctionError" not in response else None
        if status == 404:
            raise UnknownStudentError("No student has this id.")
        if status != 200:
            raise UnavailableError(
                "The student's tokens were not revoked. Send the same request again."
            )
        return int(result["body"]["effective_within_seconds"])
