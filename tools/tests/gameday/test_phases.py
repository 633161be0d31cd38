"""The times of a game day."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.gameday.phases import Phases, minutes


@given(st.lists(st.floats(0, 600), min_size=1, max_size=8))
def test_phases_add_up_to_the_time_since_the_command_began(lasted: list[float]) -> None:
    moment = 100.0
    phases = Phases(moment, lambda: moment)
    for number, seconds in enumerate(lasted):
        with phases.phase(str(number)):
            moment += seconds
    assert list(phases.seconds) == [str(it) for it in range(len(lasted))]
    assert sum(phases.seconds.values()) == pytest.approx(moment - 100)
    assert phases.table()[0] == f"Time: {minutes(sum(phases.seconds.values()))} minutes"


def test_phase_that_fails_has_a_time() -> None:
    phases = Phases(0, lambda: 65.0)
    with pytest.raises(ValueError, match="lost"), phases.phase("acts"):
        raise ValueError("lost")
    assert phases.table()[1:] == [f"  acts{'1:05':>54}"]
