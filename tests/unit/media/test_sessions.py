"""The sessions that play media are the newest ones, whatever the order of their requests."""

from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from media import session_table
from media.errors import SessionReplacedError, UnavailableError
from media.session_table import admit_session
from media.sessions import MAX_REPLACED, Sessions, admit

names = st.sampled_from("abcdef")


@given(st.lists(names, max_size=40), st.integers(1, 4))
def test_sessions_that_began_last_are_admitted_and_the_others_never_again(
    asked: list[str], most: int
) -> None:
    known = Sessions()
    began: list[str] = []
    for session in asked:
        if session not in began:
            began.append(session)
        allowed = session in began[-most:]
        try:
            known = admit(known, session, most)
            assert allowed
        except SessionReplacedError:
            assert not allowed
    assert known.playing == tuple(reversed(began[-most:]))


def test_lower_limit_applies_to_sessions_that_play_already() -> None:
    known = Sessions(("c", "b", "a"), (), 3)
    assert admit(known, "c", 1) is known
    with pytest.raises(SessionReplacedError):
        admit(known, "b", 1)


def test_list_of_replaced_sessions_is_bounded() -> None:
    known = Sessions()
    for number in range(MAX_REPLACED + 10):
        known = admit(known, str(number), 2)
    assert len(known.replaced) == MAX_REPLACED


class FakeTable:
    """A DynamoDB client with one item. `interrupt` runs before a write."""

    def __init__(self) -> None:
        self.item: dict[str, Any] = {}
        self.writes = 0
        self.interrupt: Any = None

    def get_item(self, **request: Any) -> dict[str, Any]:
        assert request["ConsistentRead"] is True
        assert request["Key"] == {"pk": {"S": "STUDENT#s"}, "sk": {"S": "SESSIONS"}}
        return {"Item": dict(self.item)} if self.item else {}

    def put_item(self, **request: Any) -> None:
        if self.interrupt is not None:
            self.interrupt()
        before = request["ExpressionAttributeValues"][":before"]
        if self.item and self.item["version"] != before:
            raise refusal("ConditionalCheckFailedException")
        self.item, self.writes = request["Item"], self.writes + 1


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "s"}}, "PutItem")


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> FakeTable:
    fake = FakeTable()
    monkeypatch.setattr(session_table, "dynamodb", lambda: fake)
    return fake


def test_repeated_request_writes_nothing(table: FakeTable) -> None:
    for _ in range(3):
        admit_session("office", "s", "a", 1)
    assert table.writes == 1
    admit_session("office", "s", "b", 1)
    with pytest.raises(SessionReplacedError):
        admit_session("office", "s", "a", 1)
    assert table.writes == 2


def test_concurrent_session_is_not_lost(table: FakeTable) -> None:
    def other() -> None:
        table.interrupt = None
        admit_session("office", "s", "b", 2)

    table.interrupt = other
    admit_session("office", "s", "a", 2)
    assert [it["S"] for it in table.item["playing"]["L"]] == ["a", "b"]


def test_failure_of_dynamodb_is_temporary_and_names_no_student(table: FakeTable) -> None:
    def fail() -> None:
        raise refusal("ProvisionedThroughputExceededException")

    table.interrupt = fail
    with pytest.raises(UnavailableError) as raised:
        admit_session("office", "s", "a", 2)
    assert str(raised.value) == "Can't read the sessions: ClientError."
