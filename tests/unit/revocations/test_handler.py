"""The function of the deny-list: who may revoke what, and in which order."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from custom_resource import response
from edge_auth.revocations import DenyList
from revocations import aws_clients, handler
from revocations.errors import UnknownUserError, UserPoolError
from signed_snapshot.errors import SnapshotStoreError
from signed_snapshot.publisher import Change

SUB, SESSION = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "bbbbbbbb-bbbb-cccc-dddd-eeeeeeeeeeee"


@dataclass
class FakeAws:
    """Cognito's users, and the published deny-list."""

    users: dict[str, str] = field(default_factory=lambda: {"a@example.com": SUB})
    content: dict[str, Any] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    is_down: bool = False
    sent: list[dict[str, object]] = field(default_factory=list)

    def sign_out_everywhere(self, user: str) -> str:
        self.calls.append("sign_out")
        if self.is_down:
            raise UserPoolError("Cognito is down.")
        if user not in self.users:
            raise UnknownUserError("No such user.")
        return self.users[user]

    def publisher_of(self, name: str) -> "FakeAws":
        assert name == "revocations"
        return self

    def update(self, change: Change, now: int) -> dict[str, Any]:
        self.calls.append("publish")
        self.content = change(self.content)
        return self.content

    def public_keys(self) -> dict[str, object]:
        return {"keys": [{"kid": "one"}]}

    def delete(self) -> None:
        self.calls.append("delete")

    def send(self, _url: str, document: dict[str, object]) -> None:
        self.sent.append(document)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> FakeAws:
    fake = FakeAws()
    monkeypatch.setattr(aws_clients, "sign_out_everywhere", fake.sign_out_everywhere)
    monkeypatch.setattr(handler, "publisher_of", fake.publisher_of)
    monkeypatch.setattr(handler, "send_response", fake.send)
    assert response.send_response is not fake.send
    return fake


def invoke(event: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    result = handler.lambda_handler(event, None)
    body = result["body"]
    assert isinstance(body, dict)
    return int(str(result["status"])), body


def from_api(groups: str, request: dict[str, Any]) -> dict[str, Any]:
    return {"groups": groups, "request": json.dumps(request)}


def test_user_is_signed_out_before_the_list_is_published(aws: FakeAws) -> None:
    """A refresh between both returns a token that the list refuses."""
    status, body = invoke({"user": "a@example.com"})
    assert (status, body) == (
        200,
        {"revoked": "user", "effective_within_seconds": 60, "entries": 1},
    )
    assert aws.calls == ["sign_out", "publish"]
    assert DenyList(aws.content).revokes({"sub": SUB, "iat": 1, "auth_time": 1})


@pytest.mark.parametrize(
    ("request_", "claims"),
    [
        ({"session": SESSION}, {"origin_jti": SESSION}),
        ({"everyone": True}, {"iat": 1, "auth_time": 1}),
    ],
)
def test_session_and_everyone_need_no_user(
    request_: dict[str, Any], claims: dict[str, Any], aws: FakeAws
) -> None:
    assert invoke(request_)[0] == 200
    assert aws.calls == ["publish"]
    assert DenyList(aws.content).revokes(claims)


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"user": "a@example.com", "everyone": True},
        {"user": ""},
        {"user": "a b"},
        {"user": 7},
        {"user": "x" * 255},
        {"session": "short"},
        {"session": SESSION.upper()},
        {"everyone": False},
        {"everyone": "true"},
    ],
)
def test_invalid_request_changes_nothing(request_: dict[str, Any], aws: FakeAws) -> None:
    for event in (request_, from_api("staff", request_)):
        status, body = invoke(event)
        assert (status, body["code"]) == (400, "invalid_request")
    assert aws.calls == []


@pytest.mark.parametrize("groups", ["", "paying", "staffs", "paying,Staff", "not staff"])
def test_caller_of_the_api_must_be_staff(groups: str, aws: FakeAws) -> None:
    status, body = invoke(from_api(groups, {"everyone": True}))
    assert (status, body["code"]) == (403, "not_staff")
    assert aws.calls == []


@pytest.mark.parametrize("groups", ["staff", "paying,staff", "staff,paying"])
def test_staff_can_revoke(groups: str, aws: FakeAws) -> None:
    assert invoke(from_api(groups, {"user": "a@example.com"}))[0] == 200


def test_body_of_the_api_can_not_replace_groups(aws: FakeAws) -> None:
    assert invoke(from_api("", {"everyone": True, "groups": "staff"}))[0] == 403


def test_unknown_user_is_reported(aws: FakeAws) -> None:
    status, body = invoke({"user": "b@example.com"})
    assert (status, body["code"]) == (404, "unknown_user")
    assert aws.content == {}


def test_failure_of_cognito_publishes_nothing(aws: FakeAws) -> None:
    aws.is_down = True
    assert invoke({"user": "a@example.com"})[0] == 503
    assert aws.calls == ["sign_out"]


def test_failure_of_the_store_is_a_503(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(change: Change, now: int) -> dict[str, Any]:
        raise SnapshotStoreError("S3 is down.")

    monkeypatch.setattr(aws, "update", fail)
    assert invoke({"everyone": True}) == (
        503,
        {"code": "snapshot_store", "detail": "S3 is down."},
    )


def test_log_names_no_person(aws: FakeAws, capsys: pytest.CaptureFixture[str]) -> None:
    invoke(from_api("staff", {"user": "a@example.com"}))
    invoke({"session": SESSION})
    text = capsys.readouterr().out
    assert "a@example.com" not in text
    assert SUB not in text
    assert SESSION not in text
    assert json.loads(text.splitlines()[0]) == {"revocation": ["user"], "status": 200, "code": None}


CREATE: dict[str, Any] = {
    "RequestType": "Create",
    "StackId": "s",
    "RequestId": "r",
    "LogicalResourceId": "RevocationList",
    "ResponseURL": "https://example.com/",
    "ResourceType": "Custom::RevocationList",
    "ResourceProperties": {},
}


def test_deployment_publishes_the_list_and_returns_its_keys(aws: FakeAws) -> None:
    """An update keeps the entries: it signs the same list with the present key."""
    invoke({"session": SESSION})
    handler.lambda_handler(CREATE, None)
    handler.lambda_handler(CREATE | {"RequestType": "Update", "PhysicalResourceId": "x"}, None)
    for sent in aws.sent:
        assert sent["Status"] == "SUCCESS", sent
        assert sent["PhysicalResourceId"] == "revocations"
        assert sent["Data"] == {"KeySet": '{"keys":[{"kid":"one"}]}'}
    assert len(aws.content["sessions"]) == 1


def test_failed_first_deployment_deletes_the_list(aws: FakeAws) -> None:
    handler.lambda_handler(CREATE | {"RequestType": "Delete", "PhysicalResourceId": "x"}, None)
    assert aws.calls == ["delete"]
    assert aws.sent[0]["Status"] == "SUCCESS"


def test_replaced_sign_ins_are_published_without_a_global_sign_out(aws: FakeAws) -> None:
    status, body = invoke({"sign_ins": {"user": SUB, "until": 1_790_000_000}})
    assert (status, body) == (200, {"entries": 1})
    assert aws.calls == ["publish"]
    old = {"sub": SUB, "iat": 1_790_000_500, "auth_time": 1_790_000_000}
    assert DenyList(aws.content).revokes(old)
    assert not DenyList(aws.content).revokes({**old, "auth_time": 1_790_000_001})


def test_member_of_staff_cannot_name_sign_ins_by_the_api(aws: FakeAws) -> None:
    request = json.dumps({"sign_ins": {"user": SUB, "until": 1_790_000_000}})
    assert invoke({"groups": "staff", "request": request})[0] == 400
    assert aws.calls == []
