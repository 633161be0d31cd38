"""Tests of the figures: recovery times, waits and the marks of the time line."""

from hypothesis import given
from hypothesis import strategies as st

from tools.gameday.acts import CONTINENTS, OPERATIONS, replication_act
from tools.gameday.answers import Answer, Ledger
from tools.gameday.figures import (
    Behind,
    Part,
    Scene,
    behind,
    marks,
    out_s,
    percentile_ms,
    recovery_s,
    worst_out_s,
)

SCENE = Scene(replication_act(), began=0, lost=10, returned=20, ended=30)
moments = st.floats(0, 29)


def answer(began: float, status: int = 200, operation: str = "events", wait: float = 0.5) -> Answer:
    return Answer(operation, "Asia", began, began + wait, status)


@given(st.lists(moments))
def test_operation_that_served_all_day_needs_no_recovery(served: list[float]) -> None:
    answers = [answer(it) for it in served]
    assert recovery_s(SCENE, answers, "events", "Asia") == 0
    assert out_s([SCENE], answers, "events", "Asia") == 0


@given(st.lists(moments), st.lists(st.floats(10, 24), min_size=1))
def test_recovery_ends_with_the_first_answer_after_the_last_refusal(
    served: list[float], refused: list[float]
) -> None:
    answers = [answer(it) for it in served] + [answer(it, 503) for it in refused]
    later = sorted(it for it in served if it > max(refused))
    expected = later[0] + 0.5 - SCENE.lost if later else None
    assert recovery_s(SCENE, answers, "events", "Asia") == expected
    out = out_s([SCENE], answers, "events", "Asia")
    assert out == (SCENE.ended - SCENE.lost if expected is None else expected)
    assert worst_out_s(Part([SCENE], Ledger(answers=answers))) == ("events", "Asia", out)


def test_other_operations_and_continents_are_counted_apart() -> None:
    answers = [answer(12, 503, "page"), answer(13)]
    assert recovery_s(SCENE, answers, "events", "Asia") == 0
    assert recovery_s(SCENE, answers, "page", "Europe") == 0
    assert recovery_s(SCENE, answers, "page", "Asia") is None


@given(st.lists(st.floats(0, 30), min_size=1))
def test_percentiles_are_waits_of_single_requests(durations: list[float]) -> None:
    answers = [answer(1, wait=it) for it in durations]
    waited = [it.seconds * 1000 for it in answers]
    median, highest = percentile_ms(answers, 0.5), percentile_ms(answers, 1)
    assert median in waited
    assert highest == max(waited)
    assert percentile_ms([], 0.5) is None


def test_marks_say_served_refused_both_waiting_or_nothing() -> None:
    answers = [answer(1), answer(3, 503), answer(5), answer(5.2, 0), answer(7, wait=5)]
    shown = [marks(answers, "events", "Asia", it, it + 2) for it in (0, 2, 4, 6, 8, 10, 12, 14)]
    assert "".join(shown) == ".x/~~~. "


def test_phases_cover_a_scene() -> None:
    moments_shown = [SCENE.phase(it) for it in (-1, 0, 9.9, 10, 19.9, 20, 30, 31)]
    assert moments_shown == [None, "before", "before", "during", "during", "after", "after", None]
    assert len(OPERATIONS) * len(CONTINENTS) == 16


@given(st.dictionaries(st.integers(0, 30), st.floats(0, 29)), st.sets(st.integers(0, 30)))
def test_new_home_lacks_the_acknowledged_writes_that_are_not_present(
    acknowledged: dict[int, float], present: set[int]
) -> None:
    named = {("advisor", str(key)): moment for key, moment in acknowledged.items()}
    result = behind(SCENE.lost, named, {("advisor", str(key)) for key in present}, "bookings")
    moments_before = [
        moment for key, moment in acknowledged.items() if key not in present and moment < SCENE.lost
    ]
    assert result.writes == len(moments_before)
    assert all(SCENE.lost - moment <= result.seconds for moment in moments_before)
    if not moments_before:
        assert result == Behind("bookings", 0, result.acknowledged, 0)
