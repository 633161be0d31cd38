"""Revoked tokens: from the command and the API to the edge of the running system."""

import secrets
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import httpx
import jwt
import pytest

from tests.support.access_tokens import access_token_of
from tests.support.waiting import wait_until
from tools.demo_students import create_user
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
        return access_token_of(self.running, self.email, self.password)


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


def _is_past(moment: float) -> bool:
    return time.time() > moment


@pytest.fixture
def two_sign_ins(meridian: system.System) -> Iterator[None]:
    """Let the two newest sign-ins of a student stay, as SignInSessions=2 does."""
    functions = client("lambda", meridian.target)
    name = {"FunctionName": f"meridian-{meridian.target.stage}-entitlements"}
    present = functions.get_function_configuration(**name)["Environment"]["Variables"]
    changed = present | {"SIGN_IN_SESSIONS": "2"}
    functions.update_function_configuration(**name, Environment={"Variables": changed})
    yield
    functions.update_function_configuration(**name, Environment={"Variables": present})


@pytest.mark.usefixtures("two_sign_ins")
def test_third_sign_in_ends_the_first_and_its_refreshes(meridian: system.System) -> None:
    student = create_account(meridian, "paying")
    outputs, cognito = meridian.deployed.outputs, client("cognito-idp", meridian.target)
    app_client = outputs["UserPoolClientId"]
    sessions: list[dict[str, str]] = []
    for _ in range(3):
        if sessions:
            # A sign-in within 5 seconds of the last one counts as its repetition.
            wait_until(partial(_is_past, time.time() + 7), "a later sign-in", WITHIN_S)
        answer = cognito.admin_initiate_auth(
            UserPoolId=outputs["UserPoolId"],
            ClientId=app_client,
            AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": student.email, "PASSWORD": student.password},
        )
        sessions.append(answer["AuthenticationResult"])

    def status(token: str) -> int:
        return get(meridian, "/premium/", token, SCRIPT).status_code

    wait_until(
        lambda: status(sessions[0]["AccessToken"]) == 401,
        "the paid page refuses the token of the first sign-in",
        WITHIN_S,
        interval_s=0.5,
    )
    assert [status(it["AccessToken"]) for it in sessions[1:]] == [200, 200]
    # A refresh of the first sign-in opens nothing, also when the deny-list has forgotten it.
    refreshed = []
    for session in sessions:
        form = {"grant_type": "refresh_token", "client_id": app_client}
        answered = httpx.post(
            f"{meridian.target.endpoint}/oauth2/token",
            data=form | {"refresh_token": session["RefreshToken"]},
            timeout=30,
        ).raise_for_status()
        refreshed.append(answered.json()["access_token"])
    tokens = [jwt.decode(it, options={"verify_signature": False}) for it in refreshed]
    replaced_until = {it["replaced_until"] for it in tokens}
    assert len(replaced_until) == 1
    assert [it["auth_time"] <= max(replaced_until) for it in tokens] == [True, False, False]
    assert [status(it) for it in refreshed] == [401, 200, 200]
