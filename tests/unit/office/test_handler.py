"""The function: who may call it, what its results contain, and what it logs."""

import json
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from office import handler, settings
from office.errors import SettingsError
from office.parked import ParkedRequests, Progress
from office.user_pool import UserPool
from tests import strategies
from tests.unit.office.fakes import STAFF, SUBJECT, FakePool, World
from tests.unit.office.test_parked import FakeQueue
from tests.unit.office.test_service import office_of

ID = "0b0e7a94-3c9c-4f6e-9a3e-0d4a2c7b9f10"


class NoErasures:
    """No student is being erased."""

    def of_address(self, _text: str) -> None:
        return None


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    users = World()
    monkeypatch.setattr(handler, "office", lambda: office_of(users))
    monkeypatch.setattr(handler, "pool", lambda: cast("UserPool", FakePool(users)))
    monkeypatch.setattr(handler, "erasures", NoErasures)
    return users


def invoke(action: str, request: Any = None, **more: str) -> tuple[int, dict[str, Any]]:
    """Return the status and the body."""
    event = {"action": action, "groups": "staff", "staff": STAFF, "requestId": "r-1"}
    result = handler.lambda_handler(event | {"request": json.dumps(request)} | more, None)
    body = result["body"]
    assert isinstance(body, dict)
    assert json.loads(str(result["text"])) == body
    assert isinstance(result["status"], int)
    return result["status"], body


def grant(**more: str) -> tuple[int, dict[str, Any]]:
    request = {"requestId": ID, "paid": True, "reason": " Invoice  118 "}
    return invoke("access", request, **{"studentId": SUBJECT, **more})


@pytest.mark.parametrize("action", sorted(handler.ACTIONS))
@pytest.mark.parametrize("groups", ["", "paying", "staffless", "paying,staffs"])
def test_request_needs_the_group_staff(world: World, action: str, groups: str) -> None:
    request = {"text": "asha", "requestId": ID, "paid": True, "reason": "r"}
    status, body = invoke(action, request, groups=groups, studentId=SUBJECT)
    assert (status, body["code"]) == (403, "not_staff")
    assert (world.reads, world.entries, world.filters) == ([], [], [])


def test_grant_records_the_caller_and_the_reason(world: World) -> None:
    status, body = grant()
    assert (status, body["changed"]) == (200, True)
    (entry,) = world.entries
    assert (entry.reason, entry.by, entry.paid) == ("Invoice 118", "office@example.com", True)
    status, student = invoke("student", studentId=SUBJECT)
    assert (status, student["changes"]) == (200, [entry.document()])


@given(st.text() | strategies.api_texts)
def test_student_of_any_path_is_unknown_without_a_call(subject: str) -> None:
    # An address is a valid Username for Cognito, but no id.
    status, body = invoke("student", studentId=subject)
    assert (status, body["code"]) == (404, "student_unknown")


def test_log_has_no_personal_data(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    invoke("search", {"text": "asha@example.com"})
    grant()
    text = capsys.readouterr().out
    assert len(text.splitlines()) == 2
    for secret in ("asha", "example.com", SUBJECT, STAFF, "Invoice"):
        assert secret not in text


def test_missing_variable_is_an_error() -> None:
    with pytest.raises(SettingsError, match="OFFICE_TABLE"):
        settings.parse({})


@pytest.mark.parametrize(("status", "waiting"), [("pending", 1), ("withdrawn", 1), ("active", 0)])
def test_list_of_parked_accounts_logs_how_many_wait(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], status: str, waiting: int
) -> None:
    """The metric of an alarm: the list empties the queue that the other alarm watches."""
    queue = FakeQueue(Progress(status, has_form=True))
    requests = ParkedRequests(queue, lambda: 1_790_000_000_001)
    monkeypatch.setattr(handler, "parked_requests", lambda: requests)
    assert invoke("parked")[0] == 200
    assert json.loads(capsys.readouterr().out)["waiting"] == waiting
