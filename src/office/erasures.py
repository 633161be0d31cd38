"""The office's side of an erasure: start it, and tell whether an address is being erased.

src/stepfunctions/erasure_request.py and erasure_table.py have the erasure itself.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from office.aws_calls import call
from office.errors import AddressDiffersError, UnavailableError, UnknownStudentError
from office.office_table import time_text
from stepfunctions import email_address

_REFUSALS: Final = {it.code: it for it in (AddressDiffersError, UnknownStudentError)}


class Erasures:
    """The accounts table, and the function that starts erasures."""

    def __init__(self, dynamodb: Any, functions: Any, accounts: str, identity: str) -> None:
        self._dynamodb = dynamodb
        self._functions = functions
        self._accounts = accounts
        self._identity = identity

    def start(
        self, student: str, staff: str, request: Mapping[str, Any], correlation_id: str
    ) -> dict[str, Any]:
        """Start the erasure of a student; again, return how far it is, and at last its report.

        Raises:
            AddressDiffersError: The student has another address than the request.
            UnknownStudentError: The pool has no such user, and none was erased.
            UnavailableError: The function failed.
        """
        return self._order("order-erasure", student, staff, request, correlation_id)

    def export(
        self, student: str, staff: str, request: Mapping[str, Any], correlation_id: str
    ) -> dict[str, Any]:
        """Start the export of everything about a student; again, return how far it is.

        Raises:
            UnknownStudentError: The pool has no such user.
            UnavailableError: The function failed.
        """
        return self._order("request-export", student, staff, request, correlation_id)

    def _order(
        self,
        action: str,
        student: str,
        staff: str,
        request: Mapping[str, Any],
        correlation_id: str,
    ) -> dict[str, Any]:
        event = {
            "action": action,
            "student": student,
            "staff": staff,
            "correlationId": correlation_id,
            "request": json.dumps(request),
        }
        response = call(
            lambda: self._functions.invoke(
                FunctionName=self._identity, Payload=json.dumps(event).encode()
            )
        )
        result = json.loads(response["Payload"].read() or b"{}")
        if "FunctionError" in response:
            raise UnavailableError("The workflow was not started. Send the same request again.")
        if result["status"] == 202:
            body: dict[str, Any] = result["body"]
            return body
        refusal = _REFUSALS.get(result["body"]["code"], UnavailableError)
        raise refusal(result["body"]["detail"])

    def of_address(self, text: str) -> dict[str, str] | None:
        """Return the status of the erasure of the student with an address, None without one.

        Raises:
            UnavailableError: DynamoDB failed.
        """
        address = email_address.normalize(" ".join(text.split()))
        if address is None:
            return None
        secret = self._item("SECRET", "EMAIL")
        if secret is None:
            return None
        key = email_address.email_key(address, bytes.fromhex(secret["secret"]["S"]))
        item = self._item(f"ERASED#{key}", "EMAIL")
        if item is None:
            return None
        return {"status": item["status"]["S"], "at": time_text(int(item["at"]["N"]) * 1000)}

    def _item(self, pk: str, sk: str) -> Any:
        page = call(
            lambda: self._dynamodb.get_item(
                TableName=self._accounts,
                Key={"pk": {"S": pk}, "sk": {"S": sk}},
                ConsistentRead=True,
            )
        )
        return page.get("Item")
