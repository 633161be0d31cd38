"""The checkpoint never passes a record that is not finished."""

from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.event_sources.watermark import Watermark
from aws_emulator.simulator.samples import kinesis_records


@given(st.permutations(range(8)))
def test_the_position_is_before_the_first_open_record(order: list[int]) -> None:
    records = kinesis_records([b"x"] * 8)
    watermark = Watermark("start")
    watermark.read(records)
    finished: set[int] = set()
    for place in order:
        watermark.finish([records[place]])
        finished.add(place)
        first_open = next((n for n in range(8) if n not in finished), 8)
        expected = records[first_open - 1].sequence if first_open else "start"
        assert watermark.position == expected
        assert len(watermark) == 8 - first_open
        assert watermark.oldest == (records[first_open] if first_open < 8 else None)
