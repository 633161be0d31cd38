"""Advisors' availability and bookings by it, on the running system, through CloudFront."""

import secrets
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest

from bookings.availability import DAYS
from tests.system.school.test_api import ApiClient, api_client, row
from tests.unit.bookings import oracle
from tools.demo_students import access_token, put_user
from tools.dev.system import System
from tools.stack import client

pytestmark = pytest.mark.integration

HOURS: Final = "09:00-12:00 13:00-17:00"
ALL_WEEK: Final = dict.fromkeys(DAYS, HOURS)
AVAILABILITY: Final[dict[str, Any]] = {
    "name": "Zoë O'Brien \"Ng\\uyễn\"", "subject": "mathematics", "timeZone": "Europe/London",
    "hours": ALL_WEEK, "slotMinutes": 30, "noticeHours": 1, "cancelHours": 2, "bookAheadDays": 365,
    "maxBookings": 3,
}  # fmt: skip


@pytest.fixture(scope="module")
def users(meridian: System) -> Iterator[dict[str, ApiClient]]:
    """A member of the staff, and two students of these tests."""
    cognito = client("cognito-idp", meridian.target)
    outputs = meridian.deployed.outputs
    pool, app_client = outputs["UserPoolId"], outputs["UserPoolClientId"]
    clients: dict[str, ApiClient] = {}
    for name in ("office", "one", "two"):
        email, password = f"{name}-{uuid.uuid4().hex[:8]}@example.com", secrets.token_urlsafe(12)
        put_user(cognito, pool, email, password, paying=False, staff=name == "office")
        token = access_token(cognito, pool, app_client, email, password)
        clients[name] = ApiClient(meridian, token)
    yield clients
    for one in clients.values():
        one.http.close()


@pytest.fixture
def office(users: dict[str, ApiClient]) -> ApiClient:
    return users["office"]


@pytest.fixture
def one(users: dict[str, ApiClient]) -> ApiClient:
    return users["one"]


@pytest.fixture
def two(users: dict[str, ApiClient]) -> ApiClient:
    return users["two"]


def put_advisor(office: ApiClient, **changes: Any) -> str:
    """Create an advisor; return the id."""
    advisor = f"advisor-{uuid.uuid4().hex[:12]}"
    status, stored = office.send("PUT", f"/advisors/{advisor}", json=AVAILABILITY | changes)
    assert (status, stored["revision"]) == (200, 1), stored
    return advisor


def days_ahead(number: int) -> date:
    return datetime.now(UTC).date() + timedelta(days=number)


def free(student: ApiClient, advisor: str, day: date) -> list[str]:
    """Return the free slots of a UTC date."""
    params = {"from": f"{day}T00:00:00Z"}
    status, listed = student.send("GET", f"/advisors/{advisor}/slots", params=params)
    assert status == 200
    return [it for it in listed["slots"] if it.startswith(str(day))]


def book(student: ApiClient, advisor: str, start: str, note: str = "") -> tuple[int, str]:
    """Book a slot; return the status and the code of a refusal."""
    booking = {"advisorId": advisor, "start": start} | ({"note": note} if note else {})
    status, body = student.send("POST", "/appointments", json=booking)
    return status, body.get("code", "")


def move(student: ApiClient, advisor: str, old: str, **new: str) -> tuple[int, str]:
    status, body = student.send("PUT", f"/appointments/{advisor}/{old}", json=new)
    return status, body.get("code", "")


def cancel(student: ApiClient, advisor: str, start: str) -> tuple[int, str]:
    status, body = student.send("DELETE", f"/appointments/{advisor}/{start}")
    return status, (body or {}).get("code", "")


def test_only_staff_changes_an_availability(
    meridian: System, office: ApiClient, one: ApiClient
) -> None:
    advisor = put_advisor(office)
    path = f"/advisors/{advisor}"
    status, refused = one.send("PUT", path, json=AVAILABILITY)
    assert (status, refused["code"]) == (403, "not_staff")
    with api_client(meridian) as anonymous:
        assert anonymous.send("PUT", path, json=AVAILABILITY)[0] == 401
        assert anonymous.send("GET", "/advisors")[0] == 401
    stored = AVAILABILITY | {"advisorId": advisor, "revision": 1}
    assert stored in every_advisor(one)
    status, refused = office.send("PUT", path, json=AVAILABILITY | {"revision": 0})
    assert (status, refused["code"]) == (409, "availability_changed")
    status, refused = office.send("PUT", path, json=AVAILABILITY | {"timeZone": "Mars/Olympus"})
    assert (status, refused["code"]) == (400, "availability_invalid")
    assert "timeZone" in refused["detail"]
    status, changed = office.send("PUT", path, json=AVAILABILITY | {"revision": 1, "hours": {}})
    assert (status, changed["revision"], changed["hours"]) == (200, 2, {})
    assert free(one, advisor, days_ahead(3)) == []
    # The lake has appointments only.
    item = row(meridian, "appointments", "ADVISORS", f"ADVISOR#{advisor}")
    assert item["origin_region"] == {"S": "none"}


def every_advisor(student: ApiClient) -> list[dict[str, Any]]:
    advisors: list[dict[str, Any]] = []
    params: dict[str, str] = {}
    while True:
        listed = student.send("GET", "/advisors", params=params)[1]
        advisors += listed["advisors"]
        if "next" not in listed:
            return advisors
        params = {"after": listed["next"]}


@pytest.mark.parametrize("zone", ["Europe/London", "America/New_York", "Asia/Kathmandu"])
def test_free_slots_follow_the_clock_of_the_advisor(
    office: ApiClient, one: ApiClient, zone: str
) -> None:
    """A year has both changes of the clock, if the zone has any."""
    document = AVAILABILITY | {"timeZone": zone, "slotMinutes": 45}
    advisor = put_advisor(office, timeZone=zone, slotMinutes=45)
    for number in range(3, 360, 17):
        day = days_ahead(number)
        midnight = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
        # The hours of the oracle end before midnight in UTC, or begin after it.
        slots = oracle.starts(document, midnight - 86_400, midnight + 2 * 86_400)
        texts = [f"{datetime.fromtimestamp(it, UTC):%Y-%m-%dT%H:%M:%SZ}" for it in slots]
        assert free(one, advisor, day) == [it for it in texts if it.startswith(str(day))]


def test_slots_of_an_unknown_advisor_or_time_are_refused(one: ApiClient) -> None:
    status, refused = one.send("GET", f"/advisors/{uuid.uuid4()}/slots")
    assert (status, refused["code"]) == (404, "advisor_unknown")
    status, refused = one.send("GET", "/advisors/x/slots", params={"from": "2027-02-29T00:00:00Z"})
    assert (status, refused["code"]) == (400, "parameters_invalid")


def test_student_books_moves_and_cancels(
    meridian: System, office: ApiClient, one: ApiClient, two: ApiClient
) -> None:
    advisor, day = put_advisor(office), days_ahead(5)
    first, second = free(one, advisor, day)[:2]
    assert book(one, advisor, first, "It's about <b>maths</b>") == (201, "")
    assert first not in free(two, advisor, day)
    assert book(two, advisor, first) == (409, "slot_taken")
    assert move(two, advisor, first, start=second) == (404, "appointment_unknown")
    for _ in range(2):
        # A repeated move has the same result.
        assert move(one, advisor, first, start=second) == (200, "")
    assert first in free(two, advisor, day)
    (listed,) = [
        it
        for it in one.send("GET", "/appointments", params={"from": first})[1]["appointments"]
        if it["advisorId"] == advisor
    ]
    assert (listed["start"], listed["minutes"]) == (second, 30)
    assert listed["note"] == "It's about <b>maths</b>"
    assert cancel(two, advisor, second) == (404, "appointment_unknown")
    assert cancel(one, advisor, second) == (204, "")
    assert cancel(one, advisor, second) == (404, "appointment_unknown")
    assert free(two, advisor, day)[:2] == [first, second]
    item = row(meridian, "appointments", f"ADVISOR#{advisor}", f"SLOT#{second}")
    assert item["version"] == {"N": "2"}
    assert {"note", "minutes", "cancel_until", "moved_from", "student"} & item.keys() == set()


def test_appointment_moves_to_another_advisor(
    office: ApiClient, one: ApiClient, two: ApiClient
) -> None:
    old, new = put_advisor(office), put_advisor(office, timeZone="Asia/Kolkata")
    start = free(one, old, days_ahead(4))[0]
    target = free(one, new, days_ahead(6))[3]
    assert book(one, old, start) == (201, "")
    assert move(one, old, start, start=target, advisorId=new) == (200, "")
    assert book(two, new, target) == (409, "slot_taken")
    assert book(two, old, start) == (201, "")


def test_rules_of_the_advisor_are_obeyed(office: ApiClient, one: ApiClient) -> None:
    advisor = put_advisor(office, maxBookings=2, bookAheadDays=30, noticeHours=48, cancelHours=720)
    slots = free(one, advisor, days_ahead(10))
    # Half past is a slot; a quarter past isn't.
    assert book(one, advisor, slots[0].replace(":00:00Z", ":15:00Z")) == (409, "slot_not_offered")
    assert book(one, advisor, f"{days_ahead(10)}T02:00:00Z") == (409, "slot_not_offered")
    assert free(one, advisor, days_ahead(31)) == []
    late = slots[0].replace(str(days_ahead(10)), str(days_ahead(32)))
    assert book(one, advisor, late) == (409, "slot_not_offered")
    soon = slots[0].replace(str(days_ahead(10)), str(days_ahead(1)))
    assert book(one, advisor, soon) == (409, "notice_too_short")
    assert book(one, advisor, slots[0]) == (201, "")
    assert book(one, advisor, slots[1]) == (201, "")
    assert book(one, advisor, slots[2]) == (409, "too_many_bookings")
    # The limit of the cancellation is 30 days before, so it is over.
    assert cancel(one, advisor, slots[0]) == (409, "too_late_to_change")
    assert move(one, advisor, slots[0], start=slots[3]) == (409, "too_late_to_change")


def test_concurrent_bookings_keep_the_limits(
    office: ApiClient, users: dict[str, ApiClient]
) -> None:
    """Two students send a booking of each slot of a day twice, at once."""
    advisor = put_advisor(office)
    slots = free(office, advisor, days_ahead(8))[:8]
    students = [users["one"], users["two"]]
    requests = [(it, slot) for slot in slots for it in students for _ in range(2)]

    def send(request: tuple[ApiClient, str]) -> tuple[ApiClient, str, tuple[int, str]]:
        student, slot = request
        return student, slot, book(student, advisor, slot)

    with ThreadPoolExecutor(16) as pool:
        results = list(pool.map(send, requests))
    taken = {(id(student), slot) for student, slot, (status, _) in results if status == 201}
    assert Counter(slot for _, slot in taken).most_common(1)[0][1] == 1
    assert max(Counter(student for student, _ in taken).values()) <= AVAILABILITY["maxBookings"]
    codes = {answer for _, _, answer in results if answer[0] != 201}
    assert codes <= {(409, "slot_taken"), (409, "too_many_bookings"), (503, "unavailable")}
    assert {slot for _, slot in taken}.isdisjoint(free(office, advisor, days_ahead(8)))


def test_concurrent_moves_to_one_slot_have_one_winner(
    office: ApiClient, one: ApiClient, two: ApiClient
) -> None:
    advisor = put_advisor(office)
    first, second, target = free(one, advisor, days_ahead(9))[:3]
    assert book(one, advisor, first) == book(two, advisor, second) == (201, "")
    moves = [(one, first), (two, second)] * 4
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda it: move(it[0], advisor, it[1], start=target), moves))
    assert {status for status, _ in results} <= {200, 409, 503}
    assert (200, "") in results
    now_free = set(free(one, advisor, days_ahead(9)))
    assert target not in now_free
    # The loser keeps the earlier appointment.
    assert len({first, second} & now_free) == 1


def test_change_of_availability_keeps_appointments_and_overlaps_none(
    office: ApiClient, one: ApiClient, two: ApiClient
) -> None:
    advisor, day = put_advisor(office, slotMinutes=60), days_ahead(7)
    first, second = free(one, advisor, day)[:2]
    assert book(one, advisor, first) == (201, "")
    change = AVAILABILITY | {"slotMinutes": 30, "revision": 1}
    assert office.send("PUT", f"/advisors/{advisor}", json=change)[0] == 200
    assert free(two, advisor, day)[0] == second
    assert book(two, advisor, first.replace(":00:00Z", ":30:00Z")) == (409, "slot_taken")
    off = AVAILABILITY | {"daysOff": str(day), "revision": 2}
    assert office.send("PUT", f"/advisors/{advisor}", json=off)[0] == 200
    assert book(two, advisor, second) == (409, "slot_not_offered")
    assert cancel(one, advisor, first) == (204, "")
    assert book(one, advisor, first) == (409, "slot_not_offered")


def office_change(office: ApiClient, advisor: str, start: str, **body: str) -> tuple[int, str]:
    path = f"/advisors/{advisor}/appointments/{start}"
    status, answer = office.send("POST", path, json=body)
    return status, answer.get("code", "")


def test_office_lists_a_day_in_the_time_zone_of_the_advisor(
    office: ApiClient, one: ApiClient, two: ApiClient
) -> None:
    advisor = put_advisor(office, timeZone="Pacific/Auckland", slotMinutes=60)
    day = days_ahead(12)
    # 09:00 in Auckland is the evening before in UTC.
    slots = free(one, advisor, day - timedelta(days=1)) + free(one, advisor, day)
    zone = ZoneInfo("Pacific/Auckland")
    of_day = [it for it in slots if datetime.fromisoformat(it).astimezone(zone).date() == day]
    assert book(one, advisor, of_day[0], "Fractions") == (201, "")
    assert book(two, advisor, of_day[-1]) == (201, "")
    path = f"/advisors/{advisor}/appointments"
    status, listed = office.send("GET", path, params={"day": str(day)})
    assert (status, listed["timeZone"]) == (200, "Pacific/Auckland")
    first, last = listed["appointments"]
    assert (first["start"], first["minutes"], first["note"]) == (of_day[0], 60, "Fractions")
    assert last["start"] == of_day[-1]
    assert first["student"].startswith("one-")
    assert last["student"].startswith("two-")
    later = office.send("GET", path, params={"day": str(day + timedelta(days=2))})[1]
    assert later["appointments"] == []
    status, refused = office.send("GET", path, params={"day": "2027-02-29"})
    assert (status, refused["code"]) == (400, "parameters_invalid")
    status, refused = one.send("GET", path, params={"day": str(day)})
    assert (status, refused["code"]) == (403, "not_staff")


def test_office_moves_and_cancels_with_a_reason(
    meridian: System, office: ApiClient, one: ApiClient, two: ApiClient
) -> None:
    # Students can't change this appointment any more, and the maximum is reached.
    advisor = put_advisor(office, cancelHours=720, noticeHours=48, maxBookings=1)
    first, second, third = free(one, advisor, days_ahead(6))[:3]
    assert book(one, advisor, first) == (201, "")
    assert book(two, advisor, third) == (201, "")
    reason = 'The advisor is ill: "O\'Brien\\"'
    assert office_change(one, advisor, first, reason=reason) == (403, "not_staff")
    assert office_change(office, advisor, first, reason=reason, newStart=third) == (
        409,
        "slot_taken",
    )
    for _ in range(2):
        # A repeated move has the same result.
        assert office_change(office, advisor, first, reason=reason, newStart=second) == (200, "")
    listed = one.send("GET", "/appointments", params={"from": first})[1]["appointments"]
    (moved,) = [it for it in listed if it["advisorId"] == advisor]
    assert (moved["start"], moved["reason"]) == (second, reason)
    assert book(one, advisor, first) == (409, "too_many_bookings")
    assert office_change(office, advisor, second, reason=reason) == (200, "")
    assert office_change(office, advisor, second, reason=reason) == (404, "appointment_unknown")
    item = row(meridian, "appointments", f"ADVISOR#{advisor}", f"SLOT#{second}")
    assert item["reason"] == {"S": reason}
    assert "student" not in item
    # The cancelled appointment no longer counts.
    assert book(one, advisor, second) == (201, "")
    assert "reason" not in row(meridian, "appointments", f"ADVISOR#{advisor}", f"SLOT#{second}")
