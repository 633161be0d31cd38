"""The trigger adds the student's courses to the access token, and never prevents a sign-in."""

import copy
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from entitlements import handler, sign_in_table
from tests.support.paths import ROOT

EVENT = json.loads((ROOT / "events/entitlements/refresh.json").read_text())
SUBJECT = EVENT["request"]["userAttributes"]["sub"]


class FakeTable:
    """A DynamoDB client with one table."""

    def __init__(self, item: dict[str, Any] | None, error: Exception | None = None) -> None:
        self.item = item
        self.error = error
        self.reads: list[dict[str, Any]] = []

    def get_item(self, **request: Any) -> dict[str, Any]:
        self.reads.append(request)
        if self.error is not None:
            raise self.error
        return {} if self.item is None else {"Item": self.item}


def invoke(monkeypatch: pytest.MonkeyPatch, table: FakeTable, event: Any = EVENT) -> dict[str, Any]:
    monkeypatch.setenv("OFFICE_TABLE", "office")
    monkeypatch.setattr(handler, "_dynamodb", lambda: table)
    return handler.lambda_handler(copy.deepcopy(event), None)


def test_access_token_gets_the_courses_and_the_id_token_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = FakeTable({"courses": {"SS": ["rust", "go"]}})
    response = invoke(monkeypatch, table)["response"]
    details = response["claimsAndScopeOverrideDetails"]
    assert details == {
        "accessTokenGeneration": {"claimsToAddOrOverride": {"courses": ["go", "rust"]}}
    }
    (read,) = table.reads
    assert read["Key"] == {"pk": {"S": f"STUDENT#{SUBJECT}"}, "sk": {"S": "COURSES"}}
    # A refresh directly after a grant must find it.
    assert read["ConsistentRead"] is True


@pytest.mark.parametrize("item", [None, {"pk": {"S": "x"}}])
def test_student_without_courses_gets_an_unchanged_token(
    monkeypatch: pytest.MonkeyPatch, item: dict[str, Any] | None
) -> None:
    assert invoke(monkeypatch, FakeTable(item)) == EVENT


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (EndpointConnectionError(endpoint_url="https://dynamodb"), "EndpointConnectionError"),
        (
            ClientError(
                {"Error": {"Code": "AccessDeniedException", "Message": SUBJECT}}, "GetItem"
            ),
            "AccessDeniedException",
        ),
    ],
)
def test_unreadable_courses_are_left_out_and_reported_without_the_student(
    monkeypatch: pytest.MonkeyPatch, capsys: Any, error: Exception, code: str
) -> None:
    assert invoke(monkeypatch, FakeTable(None, error)) == EVENT
    text = capsys.readouterr().out
    assert json.loads(text) == {"level": "ERROR", "message": "courses left out", "code": code}


def test_machine_has_no_courses(monkeypatch: pytest.MonkeyPatch) -> None:
    event = copy.deepcopy(EVENT)
    event["request"]["userAttributes"] = {}
    table = FakeTable({"courses": {"SS": ["go"]}})
    assert invoke(monkeypatch, table, event)["response"] == EVENT["response"]
    assert table.reads == []


@pytest.mark.parametrize(
    ("source", "signs_in"),
    [
        ("TokenGeneration_RefreshTokens", False),
        ("TokenGeneration_HostedAuth", True),
        ("TokenGeneration_Authentication", True),
    ],
)
def test_token_names_the_replaced_sign_ins(
    monkeypatch: pytest.MonkeyPatch, source: str, signs_in: bool
) -> None:
    asked: list[Any] = []

    def replaced_until(_table: Any, subject: str, limit: int, sign_in_at: int | None) -> int:
        asked.append((subject, limit, sign_in_at is not None))
        return 1_790_000_000

    monkeypatch.setenv("SIGN_IN_SESSIONS", "2")
    monkeypatch.setattr(sign_in_table, "replaced_until", replaced_until)
    answer = invoke(monkeypatch, FakeTable(None), EVENT | {"triggerSource": source})
    access = answer["response"]["claimsAndScopeOverrideDetails"]["accessTokenGeneration"]
    assert access == {"claimsToAddOrOverride": {"replaced_until": 1_790_000_000}}
    assert asked == [(SUBJECT, 2, signs_in)]


def test_unreadable_sign_ins_never_prevent_one(
    monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setenv("SIGN_IN_SESSIONS", "2")
    error = EndpointConnectionError(endpoint_url="https://dynamodb")
    assert invoke(monkeypatch, FakeTable(None, error)) == EVENT
    messages = [json.loads(line)["message"] for line in capsys.readouterr().out.splitlines()]
    assert messages == ["courses left out", "sign-ins left out"]
