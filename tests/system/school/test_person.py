"""The export and the erasure of a student, on the running system."""

import json
import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from aws_emulator.errors import CommandError
from tests.support.waiting import wait_until
from tests.system.school.school_client import TIMEOUT_S, SchoolClient, unique_email
from tests.system.school.test_api import ApiClient
from tests.system.school.test_bookings import AVAILABILITY, days_ahead, free
from tests.system.test_erase import versions_with
from tests.system.test_journey import event, post, stored
from tools.demo_students import access_token, put_user
from tools.dev.system import System
from tools.operations import person
from tools.operations.stage import Stage
from tools.stack import client

pytestmark = pytest.mark.integration

NAME = "Quillon Featherstone"
NOTE = "Please bring the blue notebook."
FEEDBACK = "The third lesson about rivers has no subtitles."
SECOND_FEEDBACK = "The fourth lesson about deltas is fine."


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


@pytest.fixture
def stage(meridian: System) -> Stage:
    return Stage("local", "us-east-1", lambda service: client(service, meridian.target))


def test_student_is_exported_then_erased_and_can_sign_up_again(
    meridian: System, school: SchoolClient, office: ApiClient, stage: Stage
) -> None:
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
    assert student.send("POST", "/feedback", json={"message": FEEDBACK})[0] == 202
    wait_until(lambda: FEEDBACK in str(office.send("GET", "/feedback")[1]), "the feedback")
    # This one is still in its queue when the erasure begins.
    assert student.send("POST", "/feedback", json={"message": SECOND_FEEDBACK})[0] == 202
    visit = {**event("page", "erase", userId=user.sub), "anonymousId": f"visitor-{user.sub}"}
    assert post(meridian, "/v1/page", visit).status_code == 200
    stored(meridian, f"message_id = '{visit['messageId']}'", 1)
    document = person.export(stage, user, datetime.now(UTC))
    text = json.dumps(document, ensure_ascii=False)
    for part in (email, NAME, NOTE, FEEDBACK, start, "Asia/Ho_Chi_Minh", user.sub, "paying"):
        assert part in text
    assert len(document["appointments"]) == 2
    assert not {"proof", "digest", "proof_digest"} & {
        name for listed in document["account"] for name in listed
    }

    looks: list[float] = []

    def look_again(seconds: float) -> None:
        assert len(looks) * seconds < 4 * TIMEOUT_S, "The erasure takes too long."
        looks.append(seconds)
        time.sleep(seconds)

    report = person.erase(stage, user, look_again)
    assert (report["cancelledAppointments"], report["pastAppointments"]) == (1, 1)
    (lake,) = report["lakes"]
    assert lake["rows"] >= 1
    stored_items = everything(school)
    for part in (email, NAME, NOTE, FEEDBACK, SECOND_FEEDBACK, user.sub, user.account):
        assert part not in stored_items
    for part in (user.sub, email):
        assert versions_with(meridian, part) == []
    assert school.users_with(email) == []
    texts = [str(it["BodyText"]) for it in school.emails(email)]
    assert len([it for it in texts if "is erased" in it]) == 1
    assert report["emailed"]
    # The time of the past appointment stays, for the advisor's hours.
    left = school.dynamodb.get_item(TableName="meridian-local-appointments", Key=past)["Item"]
    assert "student" not in left
    with pytest.raises(CommandError, match="no user with this address"):
        person.find(stage, email)
    other = signed_in(meridian, unique_email())
    assert start in free(other, advisor, days_ahead(9))
    other.http.close()
    student.http.close()
    assert school.wait_for_outcome(school.request_account(email, NAME))["status"] == "created"
