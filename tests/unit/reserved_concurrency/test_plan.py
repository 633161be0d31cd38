"""Reservations obey Lambda's rule: at least 100 executions stay unreserved."""

from typing import Any, Final

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from reserved_concurrency.errors import InvalidPropertyError, QuotaError
from reserved_concurrency.plan import (
    MIN_UNRESERVED_EXECUTIONS,
    Quota,
    Reservation,
    make_plan,
    ordered_changes,
    parse_properties,
)
from tests.strategies import json_values

EXECUTIONS: Final = st.integers(1, 200)
WANTED: Final = st.lists(EXECUTIONS, min_size=1, max_size=6).map(
    lambda numbers: [Reservation(f"function-{at}", it) for at, it in enumerate(numbers)]
)


@given(wanted=WANTED, free=st.integers(0, 2_000))
def test_auto_never_exceeds_quota_and_reserves_every_function_that_fits(
    wanted: list[Reservation], free: int
) -> None:
    plan = make_plan("auto", wanted, Quota(free + MIN_UNRESERVED_EXECUTIONS, free))
    assert plan.executions <= free
    assert list(plan.reserved) == [it.function for it in wanted]
    before = 0
    for function in wanted:
        reserved = plan.reserved[function.function]
        assert reserved == (function.executions if before + function.executions <= free else None)
        before += reserved or 0
    for name, reserved in plan.reserved.items():
        assert (name in plan.summary) is (reserved is None)


@given(wanted=WANTED, free=st.integers(0, 2_000))
def test_strict_mode_reserves_all_executions_or_fails(wanted: list[Reservation], free: int) -> None:
    total = sum(it.executions for it in wanted)
    quota = Quota(free + MIN_UNRESERVED_EXECUTIONS, free)
    if total <= free:
        assert make_plan("all", wanted, quota).executions == total
    else:
        with pytest.raises(QuotaError, match="L-B99A9384"):
            make_plan("all", wanted, quota)


@given(wanted=WANTED, free=st.integers(0, 2_000))
def test_none_deletes_every_reservation(wanted: list[Reservation], free: int) -> None:
    plan = make_plan("none", wanted, Quota(1_000, free))
    assert plan.reserved == {it.function: None for it in wanted}


@given(wanted=WANTED, present=st.lists(st.integers(0, 200), min_size=6, max_size=6), data=st.data())
def test_quota_holds_after_each_change(
    wanted: list[Reservation], present: list[int], data: st.DataObject
) -> None:
    """Lambda refuses a reservation that exceeds the quota at its moment."""
    reserved = {it.function: number for it, number in zip(wanted, present, strict=False)}
    free = data.draw(st.integers(sum(reserved.values()), 2_000))
    quota = Quota(free + MIN_UNRESERVED_EXECUTIONS, free, reserved)
    plan = make_plan("auto", wanted, quota)
    for function, executions in ordered_changes(plan, quota):
        reserved[function] = executions or 0
        assert sum(reserved.values()) <= free
    assert reserved == {name: number or 0 for name, number in plan.reserved.items()}


def test_new_account_reserves_nothing_and_says_how_to_change_that() -> None:
    plan = make_plan("auto", [Reservation("notify", 2)], Quota(10, 0))
    assert plan.summary == (
        "Reserved 0 of 2 executions: Lambda's quota is 10 and 100 stay unreserved. Without a "
        "reservation: notify. Request a higher quota (L-B99A9384), then deploy with "
        "ReservedConcurrency=all."
    )


def test_properties_are_parsed_in_their_order() -> None:
    mode, wanted = parse_properties(
        {
            "Mode": "auto",
            "Functions": [{"Name": "b", "Executions": "5"}, {"Name": "a", "Executions": 2}],
        }
    )
    assert (mode, wanted) == ("auto", [Reservation("b", 5), Reservation("a", 2)])


@given(value=json_values())
def test_malformed_function_is_refused(value: Any) -> None:
    name = value.get("Name") if isinstance(value, dict) else None
    assume(not (isinstance(name, str) and name and "Executions" in value))
    with pytest.raises(InvalidPropertyError):
        parse_properties({"Mode": "auto", "Functions": [value]})


@pytest.mark.parametrize("executions", [0, -1, "", "ten", "1.5", None, "٣"])
def test_executions_that_are_not_a_positive_number_are_refused(executions: object) -> None:
    function = {"Name": "a", "Executions": executions}
    with pytest.raises(InvalidPropertyError, match="Executions of a must be a number"):
        parse_properties({"Mode": "auto", "Functions": [function]})


@pytest.mark.parametrize("mode", ["", "some", None, 1])
def test_unknown_mode_is_refused(mode: object) -> None:
    with pytest.raises(InvalidPropertyError, match="Mode must be one of auto, all, none"):
        parse_properties({"Mode": mode, "Functions": [{"Name": "a", "Executions": 1}]})


@pytest.mark.parametrize("functions", [None, [], {}, "a"])
def test_missing_list_of_functions_is_refused(functions: object) -> None:
    with pytest.raises(InvalidPropertyError, match="Functions must be a list"):
        parse_properties({"Mode": "auto", "Functions": functions})
