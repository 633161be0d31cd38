"""The table's adapter: the requests of a transaction, and the translation of DynamoDB's errors."""

import re
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from hypothesis import given
from hypothesis import strategies as st

from bookings.appointments_table import AppointmentsTable
from bookings.errors import ConflictError, NotHomeError, UnavailableError
from bookings.home_table import HomeTable
from bookings.model import Appointment, Changes, Origin, Slot, StudentSlots
from bookings.outbox import Outbox
from tests import strategies

SLOT = Slot("2026-12-02T10:00:00Z", "asha")
OTHER = Slot("2026-12-03T10:00:00Z", "asha")
ORIGIN = Origin("r-1", "c-1")
NOW_MS = 1_796_040_000_000


class FakeDynamoDB:
    """Keeps the transactions; raises an error if it has one."""

    def __init__(self, error: Exception | None = None) -> None:
        self.transactions: list[list[dict[str, Any]]] = []
        self._error = error

    def get_item(self, **_request: Any) -> dict[str, Any]:
        return {}

    def transact_write_items(self, **request: Any) -> dict[str, Any]:
        if self._error:
            raise self._error
        self.transactions.append(request["TransactItems"])
        return {}


def cancelled(*codes: str) -> ClientError:
    reasons = [{"Code": code} for code in codes]
    response: Any = {
        "Error": {"Code": "TransactionCanceledException"},
        "CancellationReasons": reasons,
    }
    return ClientError(response, "TransactWriteItems")


def write(changes: Changes, error: Exception | None = None) -> list[dict[str, Any]]:
    dynamodb = FakeDynamoDB(error)
    home = HomeTable(dynamodb, "table", "eu-west-2", "eu-west-2", lambda: NOW_MS)
    AppointmentsTable(dynamodb, "table", home, Outbox("accounts", "eu-west-2")).write(
        changes, NOW_MS, ORIGIN
    )
    (transaction,) = dynamodb.transactions
    guard = transaction[0]["ConditionCheck"]
    assert guard["ConditionExpression"] == "attribute_not_exists(pk)"
    assert guard["Key"]["pk"]["S"].startswith("HOME#")
    return transaction


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (cancelled("None", "ConditionalCheckFailed"), ConflictError),
        (cancelled("TransactionConflict", "None"), ConflictError),
        (cancelled("ConditionalCheckFailed", "None"), NotHomeError),
        (cancelled("None", "ConditionalCheckFailed", "ThrottlingError"), UnavailableError),
        (cancelled("ValidationError"), UnavailableError),
        (cancelled(), UnavailableError),
        (ClientError({"Error": {"Code": "ThrottlingException"}}, "x"), UnavailableError),
        (ReadTimeoutError(endpoint_url="x"), UnavailableError),
    ],
)
def test_error_of_dynamodb_is_translated(error: Exception, expected: type[Exception]) -> None:
    with pytest.raises(expected):
        write(Changes("s1", Appointment(SLOT, "s1")), error)


appointments = st.builds(
    Appointment,
    st.just(SLOT),
    st.just("s1"),
    strategies.api_texts,
    st.just(30),
    st.none() | st.integers(0, NOW_MS),
    st.sampled_from(["", OTHER.text]),
    strategies.api_texts,
)
student_slots = st.builds(
    StudentSlots, st.frozensets(st.sampled_from([SLOT.text, OTHER.text])), st.integers(0, 3)
)


@given(
    st.builds(
        Changes,
        st.just("s1"),
        st.none() | appointments,
        st.none() | st.integers(1, 9),
        st.just(Appointment(OTHER, "s1")),
        st.none() | student_slots,
        strategies.api_texts,
    )
)
def test_expressions_use_each_value_and_no_other(changes: Changes) -> None:
    """DynamoDB refuses an unused value and an undefined one (ValidationException)."""
    keys = []
    for action in write(changes):
        ((kind, request),) = action.items()
        if kind in {"Put", "Delete"}:
            item = request.get("Key") or request["Item"]
            keys.append(str((request["TableName"], item["pk"], item["sk"])))
            continue
        keys.append(str(request["Key"]))
        texts = request["ConditionExpression"] + " " + request.get("UpdateExpression", "")
        values = request.get("ExpressionAttributeValues", {})
        assert set(re.findall(r":\w+", texts)) == values.keys()
        # An empty set isn't a value, and an attribute can't be set and removed at once.
        assert {"SS": []} not in values.values()
        set_part, _, removed = request.get("UpdateExpression", "").partition(" REMOVE ")
        assigned = re.findall(r"(\w+) = ", set_part)
        assert not {*assigned} & {*removed.split(", ")}
    # A transaction has at most one action on an item.
    assert len(keys) == len(set(keys))


def test_freed_slot_has_no_value_of_the_student() -> None:
    _, action, _ = write(Changes("s1", free=Appointment(OTHER, "s1"), reason="ill"))
    expression = action["Update"]["UpdateExpression"]
    removed = expression.partition(" REMOVE ")[2].split(", ")
    assert set(removed) == {
        *("student", "note", "minutes", "cancel_until", "moved_from"),
        *("calendar_id", "calendar_revision"),
    }
    assert action["Update"]["ConditionExpression"] == "student = :student"
    assert "reason = :reason" in expression


def outbox_of(changes: Changes) -> list[dict[str, Any]]:
    """Return the actions on the outbox."""
    return [it for it in write(changes) if "accounts" in {of["TableName"] for of in it.values()}]


def test_booking_writes_its_notice() -> None:
    taken = Appointment(SLOT, "s1", minutes=45, calendar_id="c1")
    (action,) = outbox_of(Changes("s1", take=taken))
    item = action["Put"]["Item"]
    assert (item["pk"], item["sk"]) == (
        {"S": "STUDENT#s1"},
        {"S": f"OUTBOX#APPOINTMENT#{SLOT.text}"},
    )
    assert item["notice"] == {"S": "booked"}
    assert (item["calendar_id"], item["calendar_revision"]) == ({"S": "c1"}, {"N": "0"})
    assert (item["status"], item["origin_region"]) == ({"S": "ready"}, {"S": "eu-west-2"})
    assert (item["minutes"], item["correlation_id"]) == ({"N": "45"}, {"S": "c-1"})
    assert int(item["expires_at"]["N"]) > SLOT.time


def test_move_writes_one_notice_and_deletes_the_earlier_one() -> None:
    taken = Appointment(
        SLOT, "s1", moved_from=OTHER.text, reason="ill", calendar_id="c1", calendar_revision=2
    )
    put, delete = outbox_of(Changes("s1", take=taken, free=Appointment(OTHER, "s1")))
    item = put["Put"]["Item"]
    assert (item["notice"], item["moved_from"]) == ({"S": "moved"}, {"S": OTHER.text})
    assert (item["calendar_revision"], item["reason"]) == ({"N": "2"}, {"S": "ill"})
    assert delete["Delete"]["Key"]["sk"] == {"S": f"OUTBOX#APPOINTMENT#{OTHER.text}"}


def test_cancellation_by_the_office_has_the_next_number_and_the_reason() -> None:
    freed = Appointment(OTHER, "s1", calendar_id="c1", calendar_revision=1)
    (put,) = outbox_of(Changes("s1", free=freed, reason="ill"))
    item = put["Put"]["Item"]
    assert (item["notice"], item["reason"]) == ({"S": "cancelled"}, {"S": "ill"})
    assert (item["calendar_id"], item["calendar_revision"]) == ({"S": "c1"}, {"N": "2"})
    assert item["moved_from"] == {"S": ""}
