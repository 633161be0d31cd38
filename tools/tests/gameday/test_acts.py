"""Tests that a seed decides the acts of a game day."""

from hypothesis import given
from hypothesis import strategies as st

from tools.gameday.acts import (
    CONTINENTS,
    EDGE,
    FURTHER,
    HOME,
    KINDS,
    OPERATIONS,
    REGIONS,
    SERVICES,
    draw_acts,
)

seeds = st.integers(0, 2**31 - 1)


@given(seeds)
def test_seed_repeats_the_acts(seed: int) -> None:
    assert draw_acts(seed) == draw_acts(seed)


@given(seeds)
def test_day_has_one_act_of_each_family(seed: int) -> None:
    acts = draw_acts(seed)
    outages = [it.outages[0] for it in acts if it.outages]
    assert sorted(it.region for it in outages if it.service is None) == [FURTHER, HOME, HOME, EDGE]
    assert [it.new_home for it in acts if it.new_home] == [FURTHER]
    assert sum(it.service in SERVICES for it in outages) == 1
    assert all(it.kind in KINDS for it in outages)
    assert sum(it.is_replication_held for it in acts) == 1
    assert [it.lost_place in REGIONS for it in acts if it.lost_place] == [True]
    assert len({it.name for it in acts}) == len(acts)


def test_seeds_draw_every_kind_and_service() -> None:
    outages = [it for seed in range(200) for act in draw_acts(seed) for it in act.outages]
    drawn = {(it.region, it.service, it.kind) for it in outages}
    assert drawn == {
        *((region, None, kind) for region in (*REGIONS, EDGE) for kind in KINDS),
        *((region, it, kind) for region in REGIONS for it in SERVICES for kind in KINDS),
    }


@given(seeds)
def test_only_lost_functions_excuse_events_and_members(seed: int) -> None:
    for act in draw_acts(seed):
        assert all(operation in OPERATIONS and it in CONTINENTS for operation, it in act.excused)
        operations = {operation for operation, _ in act.excused}
        assert act.lost_functions or not operations & {"events", "members", "page"}
        if any(it.region == EDGE for it in act.outages):
            assert not act.excused
