"""`make person`: its variables, and items as JSON."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.errors import CommandError
from tools.operations import erase as lake_erasure
from tools.operations import person

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"USER_NAME": "a@b.example"},
        {"EXPORT": "a.json"},
        {"USER_NAME": "a@b.example", "EXPORT": "a.json", "ERASE": "1"},
        {"USER_NAME": "a@b.example", "ERASE": "yes"},
    ],
)
def test_command_needs_a_user_and_one_action(variables: dict[str, str]) -> None:
    with pytest.raises(CommandError, match="USER=<email address>"):
        person.main(variables)


def test_erasure_needs_the_address_twice() -> None:
    with pytest.raises(CommandError, match="CONFIRM=a@b"):
        person.main({"USER_NAME": "a@b.example", "ERASE": "1", "CONFIRM": "b@b.example"})


@pytest.fixture
def erased(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Replace the erasures of the tables and of the lake; return what they erased."""
    student = person.Student("pool", "sub-1", "account-1", "a@b.example", {})
    steps: list[Any] = []
    monkeypatch.setattr(person, "find_stage", lambda _: None)
    monkeypatch.setattr(person, "find", lambda _stage, _email: student)

    def erase(*_: Any) -> list[str]:
        steps.append("tables")
        return ["Done."]

    monkeypatch.setattr(person, "erase", erase)

    def run(_environment: Any, _directory: Any, user: str, email: str) -> int:
        steps.append((user, email))
        return 1

    monkeypatch.setattr(lake_erasure, "run", run)
    return steps


ERASURE = {"USER_NAME": "a@b.example", "ERASE": "1", "CONFIRM": "a@b.example"}


def test_erasure_of_the_tables_is_followed_by_the_lake(erased: list[Any]) -> None:
    # Something is left in the lake: the command says so.
    assert person.main(ERASURE) == 1
    assert erased == ["tables", ("sub-1", "a@b.example")]


def test_failed_lake_names_the_command_that_needs_no_user(
    monkeypatch: pytest.MonkeyPatch, erased: list[Any]
) -> None:
    def run(*_: Any) -> int:
        raise CommandError("Can't erase the person in eu-west-2: S3 failed.")

    monkeypatch.setattr(lake_erasure, "run", run)
    with pytest.raises(CommandError, match=r"S3 failed\. Run `make erase USER=sub-1 "):
        person.main(ERASURE)
    assert erased == ["tables"]


scalars = st.one_of(
    st.text(max_size=9).map(lambda it: ({"S": it}, it)),
    st.integers(-9, 9).map(lambda it: ({"N": str(it)}, it)),
    st.booleans().map(lambda it: ({"BOOL": it}, it)),
    st.just(({"NULL": True}, None)),
)
pairs = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(
            lambda them: ({"L": [it[0] for it in them]}, [it[1] for it in them])
        ),
        st.dictionaries(st.text(max_size=3), inner, max_size=3).map(
            lambda them: (
                {"M": {name: it[0] for name, it in them.items()}},
                {name: it[1] for name, it in them.items()},
            )
        ),
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=4), pairs, max_size=4))
def test_item_is_exported_with_its_values(items: dict[str, tuple[Any, Any]]) -> None:
    stored = {name: it[0] for name, it in items.items()} | {"proof": {"S": "secret"}}
    exported = person.plain(stored)
    assert exported == {name: it[1] for name, it in items.items() if name != "proof"}
    json.dumps(exported)


@given(st.lists(st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)), max_size=9))  # noqa: DTZ001 - UTC
def test_appointment_is_coming_until_its_start(starts: list[datetime]) -> None:
    items = [{"sk": {"S": f"SLOT#{it:%Y-%m-%dT%H:%M:%SZ}"}} for it in starts]
    coming, past = person.by_time(items, NOW)
    assert len(coming) + len(past) == len(items)
    moment = f"{NOW:%Y-%m-%dT%H:%M:%SZ}"
    assert all(it["sk"]["S"][5:] > moment for it in coming)
    assert all(it["sk"]["S"][5:] <= moment for it in past)
