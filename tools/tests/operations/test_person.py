"""`make person`: its variables, and items as JSON."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.errors import CommandError
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
