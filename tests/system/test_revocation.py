"""Revoked tokens: from the command and the API to the edge of the running system."""

import secrets
import uuid
from dataclasses import dataclass

import httpx
import pytest

from tests.support.waiting import wait_until
from tools.demo_students import access_token, create_user
from tools.dev import system
from tools.operations.revoke import revoke
from tools.stack import client

pytestmark = pytest.mark.integration

#: The local maximum age of the deny-list is 5 seconds.
WITHIN_S = 60
SCRIPT = {"Accept": "*/*", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}
PAGE = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none"}


@dataclass(frozen=True)
class Account:
    """A user of the pool, who can sign in with a password."""

    running: system.System
    email: str
    password: str

    def sign_in(self) -> str:
        """Return a new access token."""
        outputs = self.running.deployed.outputs
        cognito = client("cognito-idp", self.running.target)
        pool, app_client = outputs["UserPoolId"], outputs["UserPoolClientId"]
        return access_token(cognito, pool, app_client, self.email, self.password)


def create_account(running: system.System, group: str) -> Account:
    """Create a user in a group."""
    account = Account(running, f"{uuid.uuid4().hex[:12]}@example.com", secrets.token_urlsafe(12))
    users, pool = client("cognito-idp", running.target), running.deployed.outputs["UserPoolId"]
    create_user(users, pool, account.email, account.password)
    users.admin_add_user_to_group(UserPoolId=pool, Username=account.email, GroupName=group)
    return account


def get(running: system.System, path: str, token: str, headers: dict[str, str]) -> httpx.Response:
    cookie = {"Cookie": f"__Host-meridian-token={token}"}
    return httpx.get(f"{running.url}{path}", headers=headers | cookie, timeout=30)


def test_revoked_student_loses_paid_page_and_api_everywhere(meridian: system.System) -> None:
    student, other = create_account(meridian, "paying"), create_account(meridian, "paying")
    token, other_token = student.sign_in(), other.sign_in()
    live = "/api/live?since=2026-01-01T00:00"
    for path in ("/premium/", live):
        assert get(meridian, path, token, SCRIPT).status_code == 200, path

    functions = client("lambda", meridian.target)
    message = revoke(functions, meridian.target.stage, {"user": student.email})
    assert "within 60 seconds" in message

    wait_until(
        lambda: get(meridian, "/premium/", token, SCRIPT).status_code == 401,
        "the paid page refuses the revoked token",
        WITHIN_S,
        interval_s=0.5,
    )
    denied = get(meridian, live, token, SCRIPT)
    assert (denied.status_code, denied.json()["code"]) == (401, "token_revoked")
    # A page signs the browser out at Cognito, too.
    page = get(meridian, "/premium/", token, PAGE)
    assert page.status_code == 303
    assert "/logout?" in page.headers["location"]
    assert get(meridian, "/premium/", other_token, SCRIPT).status_code == 200
    wait_until(
        lambda: get(meridian, "/premium/", student.sign_in(), SCRIPT).status_code == 200,
        "a new sign-in opens the paid page",
        WITHIN_S,
        interval_s=0.5,
    )


def test_staff_revokes_by_the_api_and_others_cannot(meridian: system.System) -> None:
    student, staff = create_account(meridian, "paying"), create_account(meridian, "staff")
    token = student.sign_in()
    body = {"user": student.email}
    statuses = {}
    for who in (student, staff):
        headers = {"Authorization": f"Bearer {who.sign_in()}"}
        response = httpx.post(
            f"{meridian.url}/api/revocations", json=body, headers=headers, timeout=30
        )
        statuses[who.email] = (response.status_code, response.json().get("code"))
    assert statuses == {student.email: (403, "not_staff"), staff.email: (200, None)}
    wait_until(
        lambda: get(meridian, "/premium/", token, SCRIPT).status_code == 401,
        "the paid page refuses the token that staff revoked",
        WITHIN_S,
        interval_s=0.5,
    )


def test_deny_list_is_public_and_contains_no_identifier(meridian: system.System) -> None:
    student = create_account(meridian, "paying")
    revoke(client("lambda", meridian.target), meridian.target.stage, {"user": student.email})
    response = httpx.get(f"{meridian.url}/snapshots/revocations", timeout=30)
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    assert student.email not in response.text
