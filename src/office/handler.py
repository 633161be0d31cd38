"""Handle the requests of the office's pages.

The API sends `groups`, `staff` (the caller's `sub`) and the ids of the request beside the
operation's own values; the body is a text, `request`, so that it can't replace them.
"""

import json
import re
import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from office.erasures import Erasures
from office.errors import (
    NotStaffError,
    OfficeError,
    UnknownFeedbackError,
    UnknownParkedError,
    UnknownStudentError,
)
from office.feedback import Inbox
from office.intake import Intake
from office.model import AccessChange
from office.office_table import OfficeTable
from office.parked import OPEN, ParkedRequests
from office.parked_queue import ParkedQueue
from office.records import Records
from office.roster_storage import RosterStorage
from office.rosters import Rosters
from office.service import Office
from office.settings import settings
from office.user_pool import UserPool
from staff.groups import is_staff

#: The id of a message that was taken in (intake.py).
_MESSAGE: Final = re.compile(r"[0-9]{13}-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_SUBJECT: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)

type Event = Mapping[str, Any]


def lambda_handler(event: Event, _context: object) -> dict[str, object]:
    """Return `{"status": <HTTP status>, "body": {...}, "text": <the body as JSON>}`."""
    action = str(event.get("action"))
    status, body = 200, {}
    try:
        _check_staff(event)
        body = ACTIONS[action](event)
    except OfficeError as error:
        status, body = error.status, {"code": error.code, "detail": str(error)}
    line: dict[str, object] = {
        "level": "INFO",
        "message": action,
        "status": status,
        "code": body.get("code", ""),
        "correlation_id": str(event.get("correlationId", "")),
    }
    if action == "parked" and status == 200:
        # The metric of the alarm ParkedAccountsWaiting: the list empties the queue of the other.
        line["waiting"] = sum(it["state"] in OPEN for it in body["parked"])
    # Ids of requests and fixed words, never personal data.
    print(json.dumps(line))
    return {"status": status, "body": body, "text": json.dumps(body)}


@cache
def pool() -> UserPool:
    """Return the process's user pool.

    Raises:
        SettingsError: An environment variable is missing.
    """
    import boto3

    cognito = boto3.client("cognito-idp", region_name=settings().aws_region, config=_config())
    return UserPool(cognito, settings().user_pool_id)


@cache
def office() -> Office:
    """Return the process's operations.

    Raises:
        SettingsError: An environment variable is missing.
    """
    import boto3

    named = settings()
    dynamodb = boto3.client("dynamodb", region_name=named.aws_region, config=_config())
    records = Records(
        dynamodb,
        boto3.client("lambda", region_name=named.aws_region, config=_config()),
        named.accounts_table,
        named.appointments_table,
        named.revocations_function,
    )
    table = OfficeTable(dynamodb, named.office_table)
    return Office(pool(), table, records, lambda: time.time_ns() // 1_000_000)


@cache
def erasures() -> Erasures:
    """Return the process's operations on erasures.

    Raises:
        SettingsError: An environment variable is missing.
    """
    import boto3

    named = settings()
    return Erasures(
        boto3.client("dynamodb", region_name=named.aws_region, config=_config()),
        boto3.client("lambda", region_name=named.aws_region, config=_config()),
        named.accounts_table,
        named.identity_function,
    )


@cache
def parked_requests() -> ParkedRequests:
    """Return the process's operations on parked requests.

    Raises:
        SettingsError: An environment variable is missing.
    """
    import boto3

    named = settings()
    queue = ParkedQueue(
        boto3.client("sqs", region_name=named.aws_region, config=_config()),
        boto3.client("dynamodb", region_name=named.aws_region, config=_config()),
        boto3.client("stepfunctions", region_name=named.aws_region, config=_config()),
        queue_url=named.parked_queue_url,
        office=named.office_table,
        accounts=named.accounts_table,
        machine=named.account_machine,
        region=named.aws_region,
    )
    return ParkedRequests(queue, lambda: time.time_ns() // 1_000_000)


@cache
def rosters() -> Rosters:
    """Return the process's operations on rosters.

    Raises:
        SettingsError: An environment variable is missing.
    """
    import boto3

    named = settings()
    s3 = boto3.client("s3", region_name=named.aws_region, config=_config())
    dynamodb = boto3.client("dynamodb", region_name=named.aws_region, config=_config())
    return Rosters(RosterStorage(s3, dynamodb, named.rosters_bucket, named.accounts_table))


@cache
def inbox() -> Inbox:
    """Return the process's inbox of the feedback of all Regions.

    Raises:
        SettingsError: An environment variable is missing.
    """
    import boto3

    named = settings()
    dynamodb = boto3.client("dynamodb", region_name=named.aws_region, config=_config())
    intakes = {}
    for region_name in filter(None, named.feedback_regions.split(",")):
        sqs = boto3.client("sqs", region_name=region_name, config=_config())
        url = named.feedback_queue_url.replace("{Region}", region_name)
        intakes[region_name] = (Intake(sqs, dynamodb, named.office_table), url)
    return Inbox(dynamodb, named.office_table, intakes, lambda: time.time_ns() // 1_000_000)


def _config() -> Any:
    from botocore.config import Config

    # The attempts of a change fit into the function's timeout, and into OfficeTable's BUSY_MS.
    return Config(
        connect_timeout=2, read_timeout=8, retries={"mode": "standard", "max_attempts": 2}
    )


def _check_staff(event: Event) -> None:
    """Check the caller's groups, as API Gateway joins them.

    Raises:
        NotStaffError: The caller isn't in the group staff.
    """
    if not is_staff(str(event.get("groups", ""))):
        raise NotStaffError("Only members of the group staff can do this.")


def _search(event: Event) -> dict[str, Any]:
    text = json.loads(event["request"])["text"]
    result = office().search(text, str(event["staff"]), str(event["requestId"]))
    erasure = erasures().of_address(text)
    return result if erasure is None else {**result, "erasure": erasure}


def _erase(event: Event) -> dict[str, Any]:
    student, request = _subject(event), json.loads(event["request"])
    correlation_id = str(event.get("correlationId", ""))
    return erasures().start(student, str(event["staff"]), request, correlation_id)


def _export(event: Event) -> dict[str, Any]:
    student, request = _subject(event), json.loads(event["request"])
    correlation_id = str(event.get("correlationId", ""))
    return erasures().export(student, str(event["staff"]), request, correlation_id)


def _student(event: Event) -> dict[str, Any]:
    student = _subject(event)
    return office().student(student, str(event["staff"]), str(event["requestId"]))


def _access(event: Event) -> dict[str, Any]:
    student, staff, request = _subject(event), str(event["staff"]), json.loads(event["request"])
    change = AccessChange(
        id=request["requestId"],
        student=student,
        paid=request["paid"],
        reason=" ".join(request["reason"].split()),
        by=staff,
        by_email=pool().student(staff).email,
        course=request.get("course", ""),
    )
    return office().change_access(change)


def _parked(_event: Event) -> dict[str, Any]:
    return parked_requests().list()


def _unpark(event: Event) -> dict[str, Any]:
    parked, request = str(event.get("parkedId", "")), json.loads(event["request"])
    if not _MESSAGE.fullmatch(parked):
        raise UnknownParkedError("No parked request has this id.")
    by = pool().student(str(event["staff"])).email
    reason = " ".join(request["reason"].split())
    return parked_requests().act(parked, request["action"], request["requestId"], reason, by)


def _inbox(event: Event) -> dict[str, Any]:
    after = str(event.get("after", ""))
    if after and not _MESSAGE.fullmatch(after):
        raise UnknownFeedbackError("after is the next of another page.")
    return inbox().page(after)


def _mark(event: Event) -> dict[str, Any]:
    feedback, mark = str(event.get("feedbackId", "")), json.loads(event["request"])["mark"]
    if not _MESSAGE.fullmatch(feedback):
        raise UnknownFeedbackError("No feedback has this id.")
    return inbox().mark(feedback, mark, pool().student(str(event["staff"])).email)


def _upload(event: Event) -> dict[str, Any]:
    request = json.loads(event["request"])
    return rosters().upload(request["name"], request["content"], str(event["staff"]))


def _subject(event: Event) -> str:
    # API Gateway doesn't check a path parameter's pattern, and Cognito accepts an address here.
    student = str(event.get("studentId", ""))
    if not _SUBJECT.fullmatch(student):
        raise UnknownStudentError("No student has this id.")
    return student


ACTIONS: Final[dict[str, Callable[[Event], dict[str, Any]]]] = {
    "search": _search,
    "student": _student,
    "access": _access,
    "erase": _erase,
    "export": _export,
    "parked": _parked,
    "unpark": _unpark,
    "inbox": _inbox,
    "mark": _mark,
    "rosters": lambda _event: rosters().list(),
    "roster": lambda event: rosters().read(str(event.get("rosterName", ""))),
    "upload": _upload,
}
