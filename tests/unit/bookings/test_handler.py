"""The function: who may do what, what its results contain, and what it logs."""

import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from hypothesis import given
from hypothesis import strategies as st

from bookings import handler, settings, students
from bookings.errors import NotHomeError, SettingsError, UnavailableError
from bookings.forwarding import Forwarder
from bookings.home import Home
from bookings.home_table import HomeTable
from bookings.service import Bookings
from tests import strategies
from tests.unit.bookings.examples import DOCUMENT
from tests.unit.bookings.fake_table import FakeTable
from tests.unit.bookings.replicas import Replica, World
from tests.unit.bookings.test_service import NOW_MS

START = "2026-12-02T10:00:00Z"
ENVIRONMENT = {
    "APPOINTMENTS_TABLE": "appointments",
    "AWS_REGION": "eu-west-2",
    "USER_POOL_ID": "eu-west-2_x",
    "ACCOUNTS_TABLE": "accounts",
    "HOME_REGION": "eu-west-2",
    "BOOKINGS_FUNCTION": "bookings",
}


class FakeHome:
    """The record of the home; `known` are the answers, the last one again and again."""

    def __init__(self, *known: Home) -> None:
        self._known = list(known)
        self.read = 0

    def current(self) -> Home:
        return self._known[0]

    def forget(self) -> None:
        self.read += 1
        if len(self._known) > 1:
            self._known.pop(0)


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> FakeTable:
    fake = FakeTable()
    bookings = Bookings(fake, lambda: NOW_MS, lambda _: None)
    monkeypatch.setattr(handler, "bookings", lambda: bookings)
    monkeypatch.setattr(handler, "settings", lambda: settings.parse(ENVIRONMENT))
    monkeypatch.setattr(handler, "cognito", lambda: None)
    monkeypatch.setattr(handler, "home", lambda: FakeHome(Home("eu-west-2")))
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
    assert new["start"] not in listed["free"]
    # The time that the move freed.
    assert START in listed["free"]
    change = {"reason": " The  advisor is ill. "}
    status, cancelled = invoke("change", change, groups="staff", advisorId="asha", **new)
    assert (status, cancelled["reason"]) == (200, "The advisor is ill.")
    assert table.appointments == {}


def test_booking_and_moves_to_an_unregistered_advisor_are_refused(table: FakeTable) -> None:
    put_advisor()
    wanted, asha = {"advisorId": "other", "start": START}, {"advisorId": "asha", "start": START}
    assert invoke("book", asha)[0] == 201
    office = {"reason": "ill", "newAdvisorId": "other", "newStart": START}
    for refused in (
        invoke("book", wanted),
        invoke("move", wanted, **asha),
        invoke("change", office, groups="staff", **asha),
    ):
        assert (refused[0], refused[1]["code"]) == (404, "advisor_unknown")
    assert [it.advisor for it in table.appointments] == ["asha"]


@given(st.integers(NOW_MS, NOW_MS + 10**9))
def test_each_list_of_free_slots_begins_where_the_one_before_ended(now_ms: int) -> None:
    fake = FakeTable()
    with pytest.MonkeyPatch.context() as patch:
        bookings = Bookings(fake, lambda: now_ms, lambda _: None)
        patch.setattr(handler, "bookings", lambda: bookings)
        patch.setattr(handler, "settings", lambda: settings.parse(ENVIRONMENT))
        patch.setattr(handler, "home", lambda: FakeHome(Home("eu-west-2")))
        put_advisor()
        pages = [invoke("free", advisorId="asha")]
        for _ in range(2):
            pages.append(invoke("free", advisorId="asha", **{"from": pages[-1][1]["next"]}))
    assert [status for status, _ in pages] == [200] * 3
    listed = [slot for _, page in pages for slot in page["slots"]]
    assert listed == sorted(set(listed))
    earliest = datetime.fromtimestamp(now_ms / 1000, UTC).isoformat()
    assert listed
    assert listed[0] > earliest


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
        patch.setattr(handler, "settings", lambda: settings.parse(ENVIRONMENT))
        patch.setattr(handler, "home", lambda: FakeHome(Home("eu-west-2")))
        codes = [
            invoke("move", {"start": START}, advisorId="asha", start=text)[1]["code"],
            invoke("move", {"start": START}, advisorId=text, start=START)[1]["code"],
            invoke("cancel", advisorId=text, start=START)[1]["code"],
            invoke("cancel", advisorId="asha", start=text)[1]["code"],
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
        patch.setattr(handler, "settings", lambda: settings.parse(ENVIRONMENT))
        patch.setattr(handler, "home", lambda: FakeHome(Home("eu-west-2")))
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


def test_cancellation_frees_the_slot(table: FakeTable) -> None:
    put_advisor()
    assert invoke("book", {"advisorId": "asha", "start": START})[0] == 201
    assert invoke("cancel", advisorId="asha", start=START) == (204, {})
    assert table.appointments == {}
    assert invoke("cancel", advisorId="asha", start=START)[1]["code"] == "appointment_unknown"


class FakeLambda:
    """The function of another Region: a result, or an error."""

    def __init__(
        self, result: dict[str, Any] | None = None, error: Exception | None = None
    ) -> None:
        self.events: list[dict[str, Any]] = []
        self._result = result
        self._error = error

    def invoke(self, **asked: Any) -> dict[str, Any]:
        assert asked["FunctionName"] == "bookings"
        self.events.append(json.loads(asked["Payload"]))
        if self._error:
            raise self._error
        if self._result is None:
            return {"FunctionError": "Unhandled", "Payload": io.BytesIO(b"{}")}
        return {"Payload": io.BytesIO(json.dumps(self._result).encode())}


def answered(status: int, **body: Any) -> dict[str, Any]:
    return {"status": status, "body": body, "text": json.dumps(body)}


def forwarded_to(
    monkeypatch: pytest.MonkeyPatch, clients: dict[str, FakeLambda], *known: Home
) -> FakeHome:
    record = FakeHome(*known)
    forwarder = Forwarder(clients.__getitem__, "bookings")
    monkeypatch.setattr(handler, "home", lambda: record)
    monkeypatch.setattr(handler, "forwarder", lambda: forwarder)
    return record


def test_request_of_another_region_is_answered_by_the_home(
    table: FakeTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    mumbai = FakeLambda(answered(201, link="/api/appointments/x"))
    forwarded_to(monkeypatch, {"ap-south-1": mumbai}, Home("ap-south-1", 1))
    assert invoke("book", {"advisorId": "asha", "start": START})[0] == 201
    (event,) = mumbai.events
    assert (event["action"], event["student"], event["forwarded"]) == ("book", "s1", "yes")
    assert table.appointments == {}


def test_home_that_has_just_moved_here_answers(
    table: FakeTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_advisor()
    mumbai = FakeLambda(answered(503, code=NotHomeError.code))
    record = forwarded_to(
        monkeypatch, {"ap-south-1": mumbai}, Home("ap-south-1", 1), Home("eu-west-2", 2)
    )
    assert invoke("book", {"advisorId": "asha", "start": START})[0] == 201
    assert record.read == 1


@pytest.mark.parametrize(
    "error", [None, ReadTimeoutError(endpoint_url="x"), ClientError({"Error": {}}, "Invoke")]
)
def test_lost_home_is_refused_at_once(
    table: FakeTable, monkeypatch: pytest.MonkeyPatch, error: Exception | None
) -> None:
    mumbai = FakeLambda(error=error)
    forwarded_to(monkeypatch, {"ap-south-1": mumbai}, Home("ap-south-1", 1))
    status, body = invoke("book", {"advisorId": "asha", "start": START})
    assert (status, body["code"], len(mumbai.events)) == (503, "unavailable", 1)


@pytest.mark.parametrize("known", [Home("ap-south-1", 1), Home("eu-west-2", 1, is_moving=True)])
def test_forwarded_request_is_not_forwarded_again(
    table: FakeTable, monkeypatch: pytest.MonkeyPatch, known: Home
) -> None:
    forwarded_to(monkeypatch, {}, known)
    status, body = invoke("book", {"advisorId": "asha", "start": START}, forwarded="yes")
    assert (status, body["code"]) == (503, "not_home")


def test_operator_moves_the_home(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(("eu-west-2", "ap-south-1"))
    for region, action, expected in (
        ("eu-west-2", "home", {"home": "eu-west-2", "epoch": 0, "moving": False}),
        ("eu-west-2", "release", {"home": "ap-south-1", "epoch": 1, "moving": True}),
        ("ap-south-1", "begin", {"home": "ap-south-1", "epoch": 1, "moving": False}),
        ("eu-west-2", "take-over", {"home": "eu-west-2", "epoch": 2, "moving": False}),
    ):
        replica = Replica(world, region)
        record = HomeTable(replica, "appointments", region, "eu-west-2", lambda: NOW_MS)
        monkeypatch.setattr(handler, "home", lambda record=record: record)
        assert invoke(action, to="ap-south-1") == (200, expected)
        world.replicate_all()
    monkeypatch.setattr(handler, "home", lambda: record)
    status, body = invoke("begin")
    assert (status, body["home"]) == (200, "eu-west-2")
