"""The workflow of an erasure under stops, redrives and failing functions."""

import json
import uuid
from typing import Any, Final

import pytest
from botocore.exceptions import ClientError

from stepfunctions.email_address import email_key
from tests.support.waiting import wait_until
from tests.system.school.school_client import EXECUTIONS, TIMEOUT_S, SchoolClient, unique_email
from tests.system.school.test_address import new_student, unavailable
from tests.system.school.test_person import everything
from tools.dev.system import System

pytestmark = pytest.mark.integration

IDENTITY: Final = "meridian-local-identity"
#: A function that isn't available, and the phase that then waits for it.
HELD: Final = {"meridian-local-sources": "suppress", "meridian-local-lake-erasure": "find"}


def order(school: SchoolClient, student: str, email: str, request_id: str) -> dict[str, Any]:
    """Start an erasure as an operator does, or read how far it is."""
    request = json.dumps({"requestId": request_id, "email": email})
    event = {"action": "order-erasure", "student": student, "request": request}
    answer = school.functions.invoke(FunctionName=IDENTITY, Payload=json.dumps(event).encode())
    result: dict[str, Any] = json.loads(answer["Payload"].read())
    return result


def subject(school: SchoolClient, email: str) -> str:
    (user,) = school.users_with(email)
    return str(next(it["Value"] for it in user["Attributes"] if it["Name"] == "sub"))


def erasure(school: SchoolClient, sub: str) -> tuple[str, dict[str, Any]]:
    """Return the key of a student's erasure, and its item."""
    secret = school.item("SECRET", "EMAIL")
    assert secret is not None
    key = email_key(sub, bytes.fromhex(secret["secret"]["S"]))
    item = school.item(f"ERASURE#{key}", "ERASURE")
    assert item is not None
    return key, item


def test_stopped_erasure_is_completed_by_redrive(meridian: System, school: SchoolClient) -> None:
    student = new_student(school)
    sub, request_id = subject(school, student.email), str(uuid.uuid4())
    arn = ""

    def wait_for_phase(held: str) -> None:
        def is_held() -> bool:
            work: dict[str, Any] = json.loads(erasure(school, sub)[1]["work"]["S"])
            return work.get("phase") == held

        wait_until(is_held, f"the phase {held}", TIMEOUT_S)

    for function, held in HELD.items():
        with unavailable(school, function):
            if not arn:
                result = order(school, sub, student.email, request_id)
                assert (result["status"], result["body"]["status"]) == (202, "running")
                arn = f"{EXECUTIONS}-erase:{erasure(school, sub)[0]}"
            else:
                school.stepfunctions.redrive_execution(executionArn=arn)
            wait_for_phase(held)
            school.stepfunctions.stop_execution(executionArn=arn)
            assert school.wait_for_end(arn)["status"] == "ABORTED"
        # Signed out at once, whatever fails later.
        with pytest.raises(ClientError):
            student.sign_in(student.email)
    school.stepfunctions.redrive_execution(executionArn=arn)

    def erased() -> dict[str, Any] | None:
        body: dict[str, Any] = order(school, sub, student.email, request_id)["body"]
        return body if body["status"] == "erased" else None

    report = wait_until(erased, "the report", 2 * TIMEOUT_S)["report"]
    assert report["emailed"]
    assert school.wait_for_end(arn)["status"] == "SUCCEEDED"
    stored = everything(school)
    for part in (sub, student.email, student.account):
        assert part not in stored
    assert school.users_with(student.email) == []
    texts = [str(it["BodyText"]) for it in school.emails(student.email)]
    assert len([it for it in texts if "is erased" in it]) == 1
    # A repeated order changes nothing, and has the same report.
    assert order(school, sub, student.email, str(uuid.uuid4()))["body"]["report"] == report


def test_order_with_another_address_or_student_is_refused(school: SchoolClient) -> None:
    student = new_student(school)
    sub = subject(school, student.email)
    for who, address, code in (
        (sub, unique_email(), "address_differs"),
        (str(uuid.uuid4()), student.email, "student_unknown"),
        (student.email, student.email, "student_unknown"),
    ):
        result = order(school, who, address, str(uuid.uuid4()))
        assert (result["status"] >= 400, result["body"]["code"]) == (True, code)
    assert student.sign_in(student.email)
