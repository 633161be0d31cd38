"""The export and the erasure of a student, on the running system."""

import json
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from aws_emulator.errors import CommandError
from tests.support.waiting import wait_until
from tests.system.school.school_client import SchoolClient, unique_email
from tests.system.school.test_api import ApiClient
from tests.system.school.test_bookings import AVAILABILITY, days_ahead, free
from tools.demo_students import access_token, put_user
from tools.dev.system import System
from tools.operations import person
from tools.operations.stage import Stage
from tools.stack import client

pytestmark = pytest.mark.integration

NAME = "Quillon Featherstone"
NOTE = "Please bring the blue notebook."
FEEDBACK = "The third lesson about rivers has no subtitles."


@pytest.fixture(scope="module")
def office(meridian: System) -> Iterator[ApiClient]:
    api = signed_in(meridian, unique_email(), staff=True)
    yield api
    api.http.close()


def signed_in(meridian: System, email: str, *, staff: bool = False) -> ApiClient:
    cognito, outputs = client("cognito-idp", meridian.target), meridian.deployed.outputs
    pool, app_client = outputs["UserPoolId"], outputs["UserPoolClientId"]
    password = secrets.token_urlsafe(12)
    put_user(cognito, pool, email, password, paying=not staff, staff=staff)
    return ApiClient(meridian, access_token(cognito, pool, app_client, email, password))


def everything(school: SchoolClient) -> str:
    """Return all items of the tables as a text."""
    names = ("accounts", "appointments", "profiles", "office")
    pages = [
        page
        for name in names
        for page in school.dynamodb.get_paginator("scan").paginate(
            TableName=f"meridian-local-{name}", ConsistentRead=True
        )
    ]
    return json.dumps([page["Items"] for page in pages], ensure_ascii=False)


def test_student_is_exported_then_erased_and_can_sign_up_again(
    meridian: System, school: SchoolClient, office: ApiClient, tmp_path: Path
) -> None:
    stage = Stage("local", "us-east-1", lambda service: client(service, meridian.target))
    email = unique_email()
    school.wait_for_outcome(school.request_account(email, NAME))
    student = signed_in(meridian, email)
    advisor = f"advisor-{secrets.token_hex(5)}"
    assert office.send("PUT", f"/advisors/{advisor}", json=AVAILABILITY)[0] == 200
    preferences = {"locale": "vi", "timeZone": "Asia/Ho_Chi_Minh"}
    assert student.send("PUT", "/profile", json=preferences)[0] == 200
    (start, *_) = free(student, advisor, days_ahead(9))
    booking = {"advisorId": advisor, "start": start, "note": NOTE}
    assert student.send("POST", "/appointments", json=booking)[0] == 201

    user = person.find(stage, email)
    past = {"pk": {"S": f"ADVISOR#{advisor}"}, "sk": {"S": "SLOT#2026-01-05T09:00:00Z"}}
    item = {**past, "student": {"S": user.sub}, "note": {"S": NOTE}, "version": {"N": "1"}}
    school.dynamodb.put_item(TableName="meridian-local-appointments", Item=item)
    # Opening the inbox takes the feedback out of its queue.
    assert student.send("POST", "/feedback", json={"message": FEEDBACK})[0] == 202
    wait_until(lambda: FEEDBACK in str(office.send("GET", "/feedback")[1]), "the feedback")
    assert office.send("GET", f"/students/{user.sub}")[0] == 200
    document = person.export(stage, user, datetime.now(UTC))
    text = json.dumps(document, ensure_ascii=False)
    for part in (email, NAME, NOTE, FEEDBACK, start, "Asia/Ho_Chi_Minh", user.sub, "paying"):
        assert part in text
    assert len(document["appointments"]) == 2
    assert not {"proof", "digest", "proof_digest"} & {
        name for listed in document["account"] for name in listed
    }

    lines = person.erase(stage, user, datetime.now(UTC))
    assert lines[0].startswith("Cancelled 1 coming")
    assert lines[1].startswith("Removed the student from 1 past")
    stored = everything(school)
    for part in (email, NAME, NOTE, FEEDBACK, user.sub, user.account):
        assert part not in stored
    assert school.users_with(email) == []
    with pytest.raises(CommandError, match="no user with this address"):
        person.find(stage, email)
    other = signed_in(meridian, unique_email())
    assert start in free(other, advisor, days_ahead(9))
    other.http.close()
    student.http.close()
    assert school.wait_for_outcome(school.request_account(email, NAME))["status"] == "created"


def test_interrupted_erasure_is_completed_by_the_next(
    meridian: System, school: SchoolClient
) -> None:
    email = unique_email()
    school.wait_for_outcome(school.request_account(email, NAME))

    class Interrupted:
        """Cognito that fails at the last step."""

        def __init__(self, cognito: Any) -> None:
            self._cognito = cognito

        def __getattr__(self, name: str) -> Any:
            if name == "admin_delete_user":
                raise KeyboardInterrupt
            return getattr(self._cognito, name)

    def clients(service: str) -> Any:
        created = client(service, meridian.target)
        return Interrupted(created) if service == "cognito-idp" else created

    broken = Stage("local", "us-east-1", clients)
    user = person.find(broken, email)
    with pytest.raises(KeyboardInterrupt):
        person.erase(broken, user, datetime.now(UTC))
    whole = Stage("local", "us-east-1", lambda service: client(service, meridian.target))
    person.erase(whole, person.find(whole, email), datetime.now(UTC))
    wait_until(lambda: school.users_with(email) == [], "the deletion of the user")
    assert email not in everything(school)
