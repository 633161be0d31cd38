"""Tests of the order of parent and child shards."""

from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.event_sources.resharding import ShardInfo, shards_before_latest, startable_shards

SPLIT: Final = [
    ShardInfo("p", closed=True),
    ShardInfo("a", ("p",)),
    ShardInfo("b", ("p",)),
    ShardInfo("m", ("a", "b")),
]


def names(started: set[str], finished: set[str]) -> list[str]:
    return [shard.shard_id for shard in startable_shards(SPLIT, started, finished)]


def test_child_shard_waits_for_all_parents() -> None:
    assert names(set(), set()) == ["p"]
    assert names({"p"}, set()) == []
    assert names(set(), {"p"}) == ["a", "b"]
    assert names({"b"}, {"p", "a"}) == []
    assert names(set(), {"p", "a", "b"}) == ["m"]


def test_unlisted_parent_does_not_block_child() -> None:
    assert [s.shard_id for s in startable_shards([ShardInfo("a", ("gone",))], set(), set())] == [
        "a"
    ]
    # A parent that is still being read does.
    assert startable_shards([ShardInfo("a", ("gone",))], {"gone"}, set()) == []


def test_mapping_at_latest_skips_closed_shards() -> None:
    assert shards_before_latest(SPLIT) == ["p", "a", "b"]
    assert shards_before_latest([ShardInfo("a"), ShardInfo("b")]) == []


@given(st.data())
def test_every_shard_is_read_once_and_after_its_parents(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 8))
    shards = [
        ShardInfo(
            str(number),
            tuple(
                str(parent)
                for parent in data.draw(
                    st.lists(st.integers(0, number - 1), max_size=2, unique=True)
                    if number
                    else st.just([])
                )
            ),
        )
        for number in range(count)
    ]
    started: set[str] = set()
    finished: list[str] = []
    while len(finished) < count:
        started |= {shard.shard_id for shard in startable_shards(shards, started, finished)}
        assert started, "no shard can start"
        done = data.draw(st.sampled_from(sorted(started)))
        started.remove(done)
        finished.append(done)
    for shard in shards:
        for parent in shard.parents:
            assert finished.index(parent) < finished.index(shard.shard_id)
