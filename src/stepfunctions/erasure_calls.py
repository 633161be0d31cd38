"""The functions of other components that an erasure invokes, by the names of the stage."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from stepfunctions import aws
from stepfunctions.errors import TransientError

#: Longer than LakeErasureFunction's timeout of 840 seconds, shorter than ErasureFunction's.
READ_TIMEOUT_S: Final = 870
#: The role of a member of staff, in the events of the office's function.
_STAFF: Final = "staff"


@cache
def functions(region: str) -> Any:
    """Return the process's Lambda client of a Region; an invocation isn't repeated."""
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=2,
        read_timeout=READ_TIMEOUT_S,
        retries={"mode": "standard", "total_max_attempts": 1},
        tcp_keepalive=True,
    )
    return boto3.client("lambda", region_name=region, config=config)


class Calls:
    """The functions named "<prefix><function>", in the home Region except those of the lakes."""

    def __init__(self, prefix: str, home: str) -> None:
        self._prefix = prefix
        self._home = home

    def sign_out(self, student: str) -> None:
        """End all sessions, and refuse their tokens.

        Raises:
            TransientError: The function failed, or the deny-list is full.
        """
        # 404: the user is deleted.
        self._staff_function("revocations", {"user": student}, {200, 404})

    def cancel(self, advisor: str, start: str, reason: str) -> bool:
        """Cancel a student's appointment; False if it was cancelled before.

        Raises:
            TransientError: The function failed.
        """
        request = json.dumps({"reason": reason})
        event = {"action": "change", "advisorId": advisor, "start": start, "request": request}
        return self._staff_function("bookings", event, {200, 404}) == 200

    def suppress(self, person: str) -> None:
        """Let the collector refuse the events with an id.

        Raises:
            TransientError: The function failed, or the list is full.
        """
        self._staff_function("sources", {"action": "suppress", "person": person}, {200})

    def open_inbox(self) -> None:
        """Move feedback from the queues of all Regions to the office's table.

        Raises:
            TransientError: The function failed.
        """
        self._staff_function("office", {"action": "inbox", "groups": _STAFF}, {200})

    def lake(self, region: str, event: Mapping[str, Any]) -> dict[str, Any]:
        """Run a slice of LakeErasureFunction in a Region.

        Raises:
            TransientError: The function failed.
        """
        return self._invoke(region, "lake-erasure", event)

    def _staff_function(self, name: str, event: Mapping[str, Any], accepted: set[int]) -> int:
        status = int(self._invoke(self._home, name, event).get("status", 0))
        if status not in accepted:
            raise TransientError(f"The function {name} returned the status {status}.")
        return status

    def _invoke(self, region: str, name: str, event: Mapping[str, Any]) -> dict[str, Any]:
        with aws.translate_errors("Lambda"):
            answer = functions(region).invoke(
                FunctionName=f"{self._prefix}{name}", Payload=json.dumps(event).encode()
            )
            payload = answer["Payload"].read()
        if "FunctionError" in answer:
            # The error's text can quote data of a person.
            raise TransientError(f"The function {name} failed.")
        result: dict[str, Any] = json.loads(payload)
        return result
