"""What a promoted Region lacks at the moment of a loss."""

from hypothesis import given
from hypothesis import strategies as st

from tools.gameday.figures import Behind
from tools.gameday.loss import at_the_move, overwritten

DAYS = st.dictionaries(st.integers(1, 30), st.floats(0, 60), max_size=20)


@given(times=st.lists(st.floats(0, 60), min_size=1, max_size=20, unique=True), data=st.data())
def test_stored_value_includes_the_earlier_writes_of_its_owner_only(
    times: list[float], data: st.DataObject
) -> None:
    moments = sorted(times)
    acknowledged = {("asha", f"day {number}"): at for number, at in enumerate(moments)}
    number = data.draw(st.integers(0, len(moments) - 1))
    others = {("binh", f"day {number}"): 1.0}
    document = f'{{"displayName":"day {number}"}}'
    included = overwritten(acknowledged | others, document, "asha")
    assert included == {("asha", f"day {it}") for it in range(number + 1)}
    assert overwritten(acknowledged, "", "asha") == set()


@given(acknowledged=DAYS, lost=st.floats(0, 60))
def test_store_without_a_copy_lacks_every_write_before_the_loss(
    acknowledged: dict[int, float], lost: float
) -> None:
    stores = {it.store: it for it in at_the_move(lost, {"sign-ups": acknowledged}, {})}
    before = [at for at in acknowledged.values() if at < lost]
    assert stores["sign-ups"].writes == stores["sign-ups"].acknowledged == len(before)
    assert stores["sign-ups"].seconds == lost - min(before, default=lost)
    assert stores["bookings"] == Behind("bookings", 0, 0, 0)


def test_replicated_store_lacks_the_writes_of_the_last_moments() -> None:
    acknowledged = {"advisors": {"a": 1.0, "b": 8.5, "c": 9.5, "d": 10.5}}
    stores = {it.store: it for it in at_the_move(10, acknowledged, {"advisors": {"a"}})}
    assert stores["advisors"] == Behind("advisors", 2, 3, 1.5)
