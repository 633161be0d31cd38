"""The newest sign-ins stay, and every older one is replaced."""

from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from edge_auth.revocations import DenyList
from entitlements import sign_in_table
from entitlements.sign_ins import SAME_SIGN_IN_S, SignIns, record

LIMITS = st.integers(1, 20)
#: Seconds between sign-ins; some are repeated invocations of one.
GAPS = st.lists(st.integers(0, 9_999), min_size=1, max_size=60)


@given(GAPS, LIMITS)
def test_newest_sign_ins_stay_and_older_ones_are_replaced(gaps: list[int], limit: int) -> None:
    sign_ins, now = SignIns([], 0), 1_790_000_000
    distinct: list[int] = []
    for gap in gaps:
        now += gap
        previous = sign_ins.replaced_until
        sign_ins = record(sign_ins, now, limit)
        if not distinct or now - distinct[-1] > SAME_SIGN_IN_S:
            distinct.append(now)
        assert sign_ins.replaced_until >= previous
    assert sign_ins.times == distinct[-limit:]
    for number, time in enumerate(reversed(distinct)):
        assert (time <= sign_ins.replaced_until) is (number >= limit)
        claims: dict[str, Any] = {"sub": "s", "iat": now, "auth_time": time}
        revoked = DenyList({}).revokes({**claims, "replaced_until": sign_ins.replaced_until})
        assert revoked is (number >= limit)


class FakeTable:
    """The office's table, with one item; a condition can fail as if another writer was faster."""

    class exceptions:  # noqa: N801 # the name of boto3
        class ConditionalCheckFailedException(Exception):  # noqa: N818 # the name of AWS
            """Raised when the condition isn't met."""

    def __init__(self) -> None:
        self.item: dict[str, Any] | None = None
        self.other_writers: list[dict[str, Any]] = []

    def get_item(self, **request: Any) -> dict[str, Any]:
        assert request["ConsistentRead"]
        return {} if self.item is None else {"Item": self.item}

    def update_item(self, **request: Any) -> None:
        values = request["ExpressionAttributeValues"]
        if self.other_writers:
            self.item = self.other_writers.pop()
        present = None if self.item is None else self.item["times"]
        if present != values.get(":stored"):
            raise self.exceptions.ConditionalCheckFailedException
        self.item = {"times": values[":times"], "replaced_until": values[":until"]}


class FakeFunctions:
    """Lambda, which accepts asynchronous invocations."""

    def __init__(self, status: int = 202) -> None:
        self.payloads: list[str] = []
        self.status = status

    def invoke(self, **request: Any) -> dict[str, Any]:
        assert request["InvocationType"] == "Event"
        self.payloads.append(request["Payload"])
        return {"StatusCode": self.status}


@pytest.fixture
def functions(monkeypatch: pytest.MonkeyPatch) -> FakeFunctions:
    fake = FakeFunctions()
    monkeypatch.setenv("OFFICE_TABLE", "office")
    monkeypatch.setenv("REVOCATIONS_FUNCTION", "revocations")
    monkeypatch.setattr(sign_in_table, "_functions", lambda: fake)
    return fake


def at(table: Any, time: int | None) -> int:
    return sign_in_table.replaced_until(table, "student", 2, time)


def test_third_sign_in_replaces_the_first_and_tells_the_deny_list(functions: FakeFunctions) -> None:
    table = FakeTable()
    assert (at(table, 100), at(table, 200), functions.payloads) == (0, 0, [])
    assert at(table, 300) == 100
    assert functions.payloads == ['{"sign_ins": {"user": "student", "until": 100}}']
    # A refresh only reads.
    assert at(table, None) == 100
    assert len(functions.payloads) == 1


def test_two_sign_ins_at_once_are_both_counted(functions: FakeFunctions) -> None:
    table = FakeTable()
    at(table, 100)
    other = {"times": {"L": [{"N": "100"}, {"N": "150"}]}, "replaced_until": {"N": "0"}}
    table.other_writers = [other]
    assert at(table, 200) == 100
    assert table.item is not None
    assert table.item["times"] == {"L": [{"N": "150"}, {"N": "200"}]}


def test_repeated_invocation_of_one_sign_in_counts_once(functions: FakeFunctions) -> None:
    table = FakeTable()
    assert [at(table, time) for time in (100, 101, 102, 200)] == [0, 0, 0, 0]


def test_refused_change_of_the_deny_list_is_reported(functions: FakeFunctions) -> None:
    table, functions.status = FakeTable(), 429
    at(table, 100)
    at(table, 200)
    with pytest.raises(ClientError, match="NotAccepted"):
        at(table, 300)
    # The next refresh names the replaced sign-ins nevertheless.
    assert at(table, None) == 100
