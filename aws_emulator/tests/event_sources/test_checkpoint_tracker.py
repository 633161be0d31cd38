"""Tests that the checkpoint never passes an unfinished record."""

from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.event_sources.checkpoint_tracker import CheckpointTracker
from aws_emulator.simulator.samples import kinesis_records


@given(st.permutations(range(8)))
def test_checkpoint_is_before_first_unfinished_record(order: list[int]) -> None:
    records = kinesis_records([b"x"] * 8)
    tracker = CheckpointTracker("start")
    tracker.add(records)
    finished: set[int] = set()
    for position in order:
        tracker.finish([records[position]])
        finished.add(position)
        first_open = next((n for n in range(8) if n not in finished), 8)
        expected = records[first_open - 1].sequence if first_open else "start"
        assert tracker.position == expected
        assert len(tracker) == 8 - first_open
        assert tracker.oldest == (records[first_open] if first_open < 8 else None)
