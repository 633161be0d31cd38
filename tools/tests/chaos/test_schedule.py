"""Tests that a seed decides all faults of `make chaos` and their moments."""

from collections import Counter
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from tools.chaos.schedule import FAULT_PHASES, LATE_WRITES, Action, draw_schedule

seeds = st.integers(0, 2**31 - 1)


@given(seeds)
def test_seed_repeats_schedule(seed: int) -> None:
    assert draw_schedule(seed) == draw_schedule(seed)


@given(seeds)
def test_schedule_has_each_phase_once_and_late_writes_first(seed: int) -> None:
    steps = draw_schedule(seed)
    phases = [step.rules for step in steps if step.action == "start phase"]
    assert phases[0] == LATE_WRITES
    assert Counter(phases[1:]) == Counter(FAULT_PHASES)
    assert all(len(step.seeds) == len(step.rules) for step in steps)
    assert [step.moment for step in steps] == sorted(step.moment for step in steps)
    assert all(0 <= step.moment < 1 for step in steps)
    assert {step.action for step in steps} == set(get_args(Action.__value__))


def test_different_seeds_draw_different_schedules() -> None:
    assert len({tuple(draw_schedule(seed)) for seed in range(20)}) == 20
