"""The function: who may do what, what its results contain, and what it logs."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookings import handler, settings, students
from bookings.errors import SettingsError, UnavailableError
from bookings.service import Bookings
from tests import strategies
from tests.unit.bookings.examples import DOCUMENT
from tests.unit.bookings.fake_table import FakeTable
from tests.unit.bookings.test_service import NOW_MS

START = "2026-12-02T10:00:00Z"
ENVIRONMENT = {
    "APPOINTMENTS_TABLE": "appointments",
    "AWS_REGION": "eu-west-2",
    "USER_POOL_ID": "eu-west-2_x",
    "ACCOUNTS_TABLE": "accounts",
}


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> FakeTable:
    fake = FakeTable()
    bookings = Bookings(fake, lambda: NOW_MS, lambda _: None)
    monkeypatch.setattr(handler, "bookings", lambda: bookings)
    monkeypatch.setattr(handler, "settings", lambda: settings.parse(ENVIRONMENT))
    monkeypatch.setattr(handler, "_cognito", lambda: None)
    monkeypatch.setattr(students, "email_address", lambda *_: "asha@example.com")
    return fake


def invoke(action: str, request: Any = None, **more: str) -> tuple[int, dict[str, Any]]:
    """Return the status and the body."""
    event = {"action": action, "student": "s1", "correlationId": "c-1", "requestId": "r-1"}
    result = handler.lambda_handler(event | {"request": json.dumps(request)} | more, None)
    body = result["body"]
    assert isinstance(body, dict)
    assert json.loads(str(result["text"])) == body
    assert isinstance(result["status"], int)
    return result["status"], body


def put_advisor(**changes: Any) -> None:
    settings_of_advisor = DOCUMENT | changes
    assert invoke("set", settings_of_advisor, advisorId="asha", groups="paying,staff")[0] == 200


@pytest.mark.parametrize("action", ["set", "day", "change"])
@pytest.mark.parametrize("groups", ["", "paying", "staffless", "paying,staffs"])
def test_request_of_the_office_needs_the_group(table: FakeTable, action: str, groups: str) -> None:
    put_advisor()
    request = {"set": DOCUMENT, "change": {"reason": "ill"}}.get(action)
    status, body = invoke(
        action, request, groups=groups, advisorId="asha", start=START, day="2026-12-02"
    )
    assert (status, body["code"]) == (403, "not_staff")
    assert table.availabilities["asha"].revision == 1


def test_operator_needs_no_group(table: FakeTable) -> None:
    assert invoke("set", DOCUMENT, advisorId="asha")[0] == 200
    assert table.availabilities["asha"].document["name"] == DOCUMENT["name"]


def test_booking_move_and_day_list(table: FakeTable) -> None:
    put_advisor()
    status, booked = invoke("book", {"advisorId": "asha", "start": START, "note": "n"})
    assert (status, booked["link"]) == (201, f"/api/appointments/asha/{START}")
    new = {"start": "2026-12-02T11:00:00Z"}
    status, moved = invoke("move", new, advisorId="asha", start=START)
    assert (status, moved["start"], moved["note"]) == (200, new["start"], "n")
    status, listed = invoke("day", groups="staff", advisorId="asha", day="2026-12-02")
    assert status == 200
    assert listed["appointments"] == [
        {"start": new["start"], "minutes": 30, "student": "asha@example.com", "note": "n"}
    ]
    change = {"reason": " The  advisor is ill. "}
    status, cancelled = invoke("change", change, groups="staff", advisorId="asha", **new)
    assert (status, cancelled["reason"]) == (200, "The advisor is ill.")
    assert table.appointments == {}


def test_free_slots_begin_at_the_asked_time(table: FakeTable) -> None:
    put_advisor()
    status, listed = invoke("free", advisorId="asha", **{"from": START})
    assert (status, listed["slots"][0], listed["next"]) == (200, START, "2026-12-09T10:00:00Z")
    assert invoke("free", advisorId="other")[1]["code"] == "advisor_unknown"


@given(strategies.api_texts)
def test_any_path_is_refused_or_unknown(text: str) -> None:
    fake = FakeTable()
    with pytest.MonkeyPatch.context() as patch:
        bookings = Bookings(fake, lambda: NOW_MS, lambda _: None)
        patch.setattr(handler, "bookings", lambda: bookings)
        codes = [
            invoke("move", {"start": START}, advisorId="asha", start=text)[1]["code"],
            invoke("move", {"start": START}, advisorId=text, start=START)[1]["code"],
            invoke("free", advisorId="asha", **{"from": text})[1]["code"],
            invoke("free", advisorId=text)[1]["code"],
            invoke("day", advisorId="asha", day=text)[1]["code"],
        ]
    assert set(codes) <= {"appointment_unknown", "parameters_invalid", "advisor_unknown"}


@given(st.sampled_from(["book", "move", "change"]))
def test_log_has_no_personal_data(action: str) -> None:
    lines: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("builtins.print", lines.append)
        bookings = Bookings(FakeTable(), lambda: NOW_MS, lambda _: None)
        patch.setattr(handler, "bookings", lambda: bookings)
        request = {"advisorId": "x", "start": START, "note": "secret", "reason": "secret"}
        invoke(action, request, advisorId="x", start=START, groups="staff")
    (line,) = lines
    assert json.loads(line).keys() == {"level", "message", "status", "code", "correlation_id"}
    assert "secret" not in line
    assert "s1" not in line


@pytest.mark.parametrize("name", ENVIRONMENT)
def test_missing_setting_is_named(name: str) -> None:
    with pytest.raises(SettingsError, match=name):
        settings.parse(ENVIRONMENT | {name: ""})


class FakeCognito:
    """A user pool with one user, or an error."""

    def __init__(self, code: str = "") -> None:
        self._code = code

    def admin_get_user(self, **asked: str) -> dict[str, Any]:
        from botocore.exceptions import ClientError

        if self._code:
            raise ClientError({"Error": {"Code": self._code}}, "AdminGetUser")
        assert asked == {"UserPoolId": "pool", "Username": "s1"}
        return {"UserAttributes": [{"Name": "email", "Value": "a@example.com"}]}


def test_address_of_a_student_is_read_from_the_pool() -> None:
    assert students.email_address(FakeCognito(), "pool", "s1") == "a@example.com"
    assert students.email_address(FakeCognito("UserNotFoundException"), "pool", "s1") == ""
    with pytest.raises(UnavailableError):
        students.email_address(FakeCognito("TooManyRequestsException"), "pool", "s1")
