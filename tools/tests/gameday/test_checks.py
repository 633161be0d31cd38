"""Tests that the checks of a game day finds each kind of loss."""

from typing import Any, Final

import pytest

from tools.gameday.acts import (
    FURTHER,
    HOME,
    Act,
    move_act,
    place_act,
    region_act,
    replication_act,
    service_act,
)
from tools.gameday.answers import Answer, Ledger
from tools.gameday.checks import Check, Limits, Stored, check_answers, check_recovery, check_stores
from tools.gameday.figures import Scene

SLOT: Final = ("advisor", "2026-12-01T09:30:00Z")


def day() -> tuple[Ledger, Stored]:
    """A ledger, and stores that have all of it."""
    ledger = Ledger(
        events={"e1": 1.0, "e2": 2.0},
        sign_ups={"asha@example.com": "r1"},
        advisors={"grace"},
        profiles={"s1": "day 3"},
    )
    ledger.bookings[SLOT].add("s1")
    stored = Stored(
        lakes={HOME: {"e1": 1}, FURTHER: {"e2": 1}},
        bookings={HOME: {SLOT: "s1"}, FURTHER: {SLOT: "s1"}},
        users={"asha@example.com": 1},
        emails={"asha@example.com": {"Confirm": 1, "Welcome": 1}},
        advisors=frozenset({"grace"}),
        profiles={it: {"s1": '{"displayName": "day 3"}'} for it in (HOME, FURTHER)},
    )
    return ledger, stored


def failed(checks: list[Check]) -> list[str]:
    return [it.name for it in checks if not it.passed]


def test_complete_stores_pass() -> None:
    assert failed(check_stores(*day())) == []


def test_missing_event_is_found() -> None:
    ledger, stored = day()
    stored.lakes = {HOME: {"e1": 1}}
    assert failed(check_stores(ledger, stored)) == [
        "acknowledged events, once in one lake",
        "acknowledged events, missing",
    ]


def test_event_twice_in_a_lake_is_found() -> None:
    ledger, stored = day()
    stored.lakes = {HOME: {"e1": 2}, FURTHER: {"e2": 1}}
    assert "acknowledged events, more than once in a lake" in failed(check_stores(ledger, stored))


def test_event_in_two_lakes_is_found() -> None:
    ledger, stored = day()
    stored.lakes = {HOME: {"e1": 1, "e2": 1}, FURTHER: {"e2": 1}}
    name = "acknowledged events, in two lakes although sent once"
    assert name in failed(check_stores(ledger, stored))
    ledger.repeated.add("e2")
    assert failed(check_stores(ledger, stored)) == []


def test_missing_booking_is_found() -> None:
    ledger, stored = day()
    stored.bookings = {HOME: {SLOT: "s1"}, FURTHER: {}}
    assert failed(check_stores(ledger, stored)) == [f"bookings with 201, missing in {FURTHER}"]


def test_slot_of_two_students_is_found() -> None:
    ledger, stored = day()
    ledger.bookings[SLOT].add("s2")
    name = "slots that two students have, without a report"
    assert failed(check_stores(ledger, stored)) == [name]
    stored.settled = frozenset({(SLOT, "s2")})
    assert failed(check_stores(ledger, stored)) == []


@pytest.mark.parametrize("users", [{}, {"asha@example.com": 2}])
def test_sign_up_without_exactly_one_account_is_found(users: dict[str, int]) -> None:
    ledger, stored = day()
    stored.users = users
    assert failed(check_stores(ledger, stored)) == ["accepted sign-ups without exactly one account"]


def test_email_sent_twice_is_found() -> None:
    ledger, stored = day()
    stored.emails = {"asha@example.com": {"Welcome": 2}}
    assert failed(check_stores(ledger, stored)) == ["emails of a kind sent twice to an address"]


def test_missing_advisor_and_preferences_are_found() -> None:
    ledger, stored = day()
    stored.advisors, stored.profiles = frozenset(), {HOME: {}}
    assert failed(check_stores(ledger, stored)) == [
        "advisors that the staff saved, missing",
        f"newest preferences, missing in {HOME}",
    ]


LATE: Final = {"began": 26.0, "ended": 26.5}
SHORT: Final = Limits(15, 15)
HONEST: Final = {"status": 503, "code": "unavailable", "has_retry_after": True}


def failed_of(
    act: Act,
    operation: str = "profile",
    continent: str = "Asia",
    limits: Limits = SHORT,
    **fields: Any,
) -> list[str]:
    """Return the failed checks of an act with one answer 12 seconds after its beginning."""
    shown: dict[str, Any] = {"began": 12.0, "ended": 12.5, **HONEST, **fields}
    answer = Answer(operation=operation, continent=continent, **shown)
    return failed(check_answers([Scene(act, 0, 10, 40, 50)], [answer], limits))


@pytest.mark.parametrize(
    ("continent", "began", "moved", "is_found"),
    [
        ("Asia", 26.0, 20.0, True),
        ("Asia", 24.0, 20.0, False),
        ("Asia", 26.0, None, False),
        ("Asia", 41.0, 20.0, False),
        ("Europe", 26.0, 20.0, False),
    ],
)
def test_booking_that_the_new_home_refuses_is_found(
    continent: str, began: float, moved: float | None, is_found: bool
) -> None:
    answer = Answer("booking", continent, began, began + 0.5, 503, "not_home", has_retry_after=True)
    scene = Scene(move_act("refused"), 0, 10, 40, 50, moved)
    names = failed(check_answers([scene], [answer], Limits(15, 15, 5)))
    assert names == (["bookings refused after the home had moved"] if is_found else [])


MUMBAI_LOST: Final = region_act(FURTHER, "unavailable")
TABLES_LOST: Final = service_act(FURTHER, "dynamodb", "refused")


def test_honest_refusal_of_a_lost_operation_passes() -> None:
    assert failed_of(MUMBAI_LOST) == []
    assert failed_of(region_act(HOME, "hanging"), "booking") == []


@pytest.mark.parametrize(
    "fields", [{"status": 500}, {"code": ""}, {"has_retry_after": False}, {"status": 0}]
)
def test_refusal_that_is_not_honest_is_found(fields: dict[str, Any]) -> None:
    assert failed_of(MUMBAI_LOST, **fields) == ["refusals without 503, Retry-After and a code"]


def test_refusal_that_the_loss_does_not_explain_is_found() -> None:
    unexplained = ["refusals that no loss explains"]
    assert failed_of(MUMBAI_LOST, continent="Europe") == unexplained
    assert failed_of(TABLES_LOST, "page") == unexplained
    assert failed_of(TABLES_LOST, "events") == unexplained
    assert failed_of(replication_act()) == unexplained
    assert failed_of(region_act("us-east-1", "refused")) == unexplained


@pytest.mark.parametrize(
    ("fields", "is_found"),
    [({}, False), ({"code": "unavailable"}, True), ({"has_retry_after": False}, True)],
)
def test_busy_machine_may_refuse_with_a_time_out(fields: dict[str, Any], is_found: bool) -> None:
    answer = {"code": "timed_out", **fields}
    limits = Limits(may_time_out=True)
    names = failed_of(MUMBAI_LOST, "staff", "Europe", limits, **answer)
    assert names == (["refusals that no loss explains"] if is_found else [])
    assert failed_of(MUMBAI_LOST, "staff", "Europe", **answer) == ["refusals that no loss explains"]


def test_cloudfront_may_refuse_until_the_names_have_left() -> None:
    own: dict[str, Any] = {
        "status": 502,
        "code": "",
        "has_retry_after": False,
        "by_cloudfront": True,
    }
    assert failed_of(TABLES_LOST, **own) == []
    # No edge function runs near a lost Region.
    assert failed_of(MUMBAI_LOST, **own | LATE) == []
    assert failed_of(MUMBAI_LOST, continent="Europe", **own) == ["refusals that no loss explains"]
    assert failed_of(TABLES_LOST, **own | LATE) == [
        "refusals by CloudFront after the names have left"
    ]


def test_lost_edge_location_may_break_connections() -> None:
    assert failed_of(place_act(FURTHER), "events", status=0) == []
    assert failed_of(place_act(FURTHER), "events") == ["refusals that no loss explains"]


def test_long_wait_is_found() -> None:
    assert failed_of(MUMBAI_LOST, ended=28.0) == ["answers after more than 15 s"]
    own: dict[str, Any] = {"status": 504, "code": "", "by_cloudfront": True}
    assert failed_of(MUMBAI_LOST, "events", ended=42.0, **own) == []


def test_closed_operation_after_the_return_is_found() -> None:
    assert check_recovery({"an act": []}).passed
    assert not check_recovery({"an act": ["events Asia"]}).passed
