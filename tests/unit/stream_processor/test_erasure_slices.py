"""LakeErasureFunction: slices of an erasure have the effect of the command's run."""

from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream_processor.erasure.erase import Eraser, Report
from stream_processor.erasure.person import Person
from stream_processor.erasure.visitors import Visitors, find, find_slice
from stream_processor.errors import StorageError
from stream_processor.handlers import erasure
from stream_processor.storage.position import BEGIN
from tests.support.examples import at_most
from tests.support.function_results import as_sent
from tests.unit.stream_processor.test_erasure import NOW, OTHER, USER, Lake, visit

PERSON: Final = Person(frozenset({USER}), frozenset({"v1"}))
OWN: Final = ("v1", "v2")


def filled() -> Lake:
    """Return a lake with a person's and others' events in two hours, compacted, and a failure."""
    lake = Lake()
    lake.write(visit("m1", userId=USER, anonymousId="v1"), visit("m2", userId=OTHER))
    lake.write(visit("m3", anonymousId="v1"), visit("m4", userId=USER, anonymousId="v2"), hour=1)
    lake.write(visit("m5", userId=OTHER, anonymousId="v2"), hour=2)
    lake.compact()
    lake.discard(lake.put(visit("m6", userId=USER), hour=2))
    return lake


class Budget:
    """Time for a number of keys in each slice."""

    def __init__(self, keys: int) -> None:
        self._keys = keys
        self._left = keys

    def __call__(self) -> bool:
        self._left -= 1
        return self._left > 0

    def start(self) -> None:
        self._left = self._keys


def erase(lake: Lake, keys: int) -> Report:
    """Erase in slices of some keys, until a pass finds nothing; return its report."""
    budget = Budget(keys)
    while True:
        report, position = Report("us-east-1"), BEGIN
        while True:
            budget.start()
            eraser = Eraser(lake.aws.app(), lake.streams.streams())
            following = eraser.run_slice(PERSON, position, budget, report)
            if following is None:
                break
            assert following > position or following.stage != position.stage
            position = following
        if report.changes == (0, 0):
            return report


@pytest.mark.slow
@settings(max_examples=at_most(12), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(keys=st.integers(1, 9))
def test_slices_of_any_size_erase_the_same_as_one_run(keys: int) -> None:
    whole, sliced = filled(), filled()
    assert whole.erase(USER, visitors=("v1",)).complete
    report = erase(sliced, keys)
    assert (report.left, report.rows) == ([], {})
    for prefix in ("events/", "compacted/", "compacted_rest/"):
        assert sliced.rows(prefix) == whole.rows(prefix)
    assert sliced.names(USER) == []
    assert sliced.names(OTHER)
    assert sliced.verify()


@settings(max_examples=at_most(8), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(keys=st.integers(1, 4))
def test_slices_find_the_browsers_that_one_run_finds(keys: int) -> None:
    lake, budget = filled(), Budget(keys)
    bucket, known, position = lake.aws.app().lake, Visitors([], []), BEGIN
    while position is not None:
        budget.start()
        known, following = find_slice(bucket, [USER], known, position, budget)
        if following is None:
            break
        position = following
    assert known == find(bucket, [USER]) == (["v1", "v2"], ["v2"])


def test_slice_that_ends_before_its_files_are_made_again_is_repeated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The rows are erased, but the compacted file still has them."""
    lake = filled()
    eraser = Eraser(lake.aws.app(), lake.streams.streams())

    def stop(*_: Any) -> None:
        raise StorageError("The process ended.")

    with monkeypatch.context() as patched:
        patched.setattr(eraser, "_make_again", stop)
        with pytest.raises(StorageError):
            eraser.run_slice(PERSON, BEGIN, lambda: True, Report("us-east-1"))
    assert lake.names(USER)
    erase(lake, 100)
    assert lake.names(USER) == []
    assert lake.verify()


@pytest.mark.parametrize("budget", [1, 100])
def test_slice_of_stream_counts_records_that_are_not_in_the_lake(budget: int) -> None:
    lake = filled()
    erase(lake, 100)
    lake.put(visit("m7", userId=USER), hour=3)
    report, position = Report("us-east-1"), BEGIN
    eraser = Eraser(lake.aws.app(), lake.streams.streams())
    following = eraser.read_stream(PERSON, position, Budget(budget), report, NOW)
    assert report.waiting == (0 if budget == 1 else 1)
    assert (following is None) == (budget == 100)
    if following is not None:
        assert following.after.startswith("shardId-")
        # Each slice ends after a page that is later than the ones before.
        assert eraser.read_stream(PERSON, following, lambda: True, report, NOW) is None
        assert report.waiting == 1
    assert report.stream_expires


def test_function_runs_slices_by_their_place(monkeypatch: pytest.MonkeyPatch) -> None:
    lake = filled()
    app = lake.aws.app()
    monkeypatch.setattr(
        "stream_processor.erasure.erase.StreamReader", lambda _: lake.streams.streams()
    )
    event: dict[str, Any] = {"ids": [USER], "visitors": [], "shared": [], "position": None}
    seen: list[Any] = []
    while not seen or event["position"] is not None:
        result = as_sent(erasure.run(app, {**event, "action": "find"}, 0))
        event |= result
        seen.append(result["position"])
    assert (event["visitors"], event["shared"]) == (["v1", "v2"], ["v2"])
    objects = 0
    while True:
        result = as_sent(erasure.run(app, {**event, "visitors": ["v1"], "action": "erase"}, 0))
        event["position"] = result["position"]
        objects += result["report"]["objects"]
        if event["position"] is None:
            break
    assert objects
    assert lake.names(USER) == []
    result = erasure.run(app, {**event, "action": "stream"}, 60)
    assert (result["position"], result["report"]["waiting"]) == (None, 0)
