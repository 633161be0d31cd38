"""The slices of an erasure from the data lakes: each Region ends with a pass that finds nothing."""

import json
from collections.abc import Mapping
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepfunctions import lake_erasure
from stepfunctions.errors import PermanentError, TransientError

IDS: Final = ["sub-1", "a@b.example"]
REGIONS: Final = ("us-east-1", "eu-west-2")


class Lakes:
    """The functions of the Regions: each lake has keys, some with the person, and a stream."""

    def __init__(self, keys: Mapping[str, list[bool]], late: Mapping[str, int], fails: int) -> None:
        self.keys = {region: list(them) for region, them in keys.items()}
        self.late = dict(late)
        self.fails = fails
        self.calls = 0

    def invoke(self, region: str, event: Mapping[str, Any]) -> dict[str, Any]:
        self.calls += 1
        if self.fails and self.calls % self.fails == 0:
            raise TransientError("The function failed.")
        keys = self.keys[region]
        position = 0 if event["position"] is None else int(event["position"][1])
        report: dict[str, Any] = {"rows": {}, "objects": 0, "versions": 0, "objects_read": 0}
        report |= {"left": [], "waiting": 0, "stream_expires": ""}
        if event["action"] == "stream":
            # Records that are on their way are in the lake at the next pass.
            report |= {"waiting": self.late[region], "stream_expires": "soon"}
            keys += [True] * self.late.pop(region, 0)
            self.late[region] = 0
            return {"position": None, "report": report}
        following = None if position + 1 >= len(keys) else ["events/", position + 1]
        if event["action"] == "find":
            own = [f"visitor-{region}"] if any(keys) else []
            both = sorted({*event["visitors"], *own})
            return {"position": following, "visitors": both, "shared": event["shared"]}
        if keys and keys[position]:
            keys[position] = False
            report |= {"rows": {"events": 2}, "objects": 1, "versions": 1}
        return {"position": following, "report": report | {"objects_read": 1}}


def run(lakes: Lakes) -> tuple[lake_erasure.State, int]:
    """Run the slices as the workflow does; return the last state, and the number of waits."""
    state, waits = lake_erasure.first(REGIONS), 0

    def again(step: Any) -> Any:
        nonlocal state
        for _ in range(1_000):
            # The workflow stores nothing of a failed invocation.
            trial = json.loads(json.dumps(state))
            try:
                outcome = step(trial, IDS, lakes.invoke)
            except TransientError:
                continue
            state = trial
            return outcome
        raise AssertionError("The function fails for ever.")

    while not again(lake_erasure.find):
        pass
    lake_erasure.begin(state)
    while (outcome := again(lake_erasure.erase)) != "done":
        waits += outcome == "wait"
    return state, waits


@given(
    keys=st.fixed_dictionaries({it: st.lists(st.booleans(), max_size=5) for it in REGIONS}),
    late=st.fixed_dictionaries({it: st.integers(0, 2) for it in REGIONS}),
    fails=st.sampled_from([0, 2, 3, 5]),
)
def test_erasure_ends_with_a_clean_pass_in_each_region(
    keys: dict[str, list[bool]], late: dict[str, int], fails: int
) -> None:
    lakes = Lakes(keys, late, fails)
    state, waits = run(lakes)
    assert not any(any(it) for it in lakes.keys.values())
    for region in REGIONS:
        report = state["reports"][region]
        expected = sum(keys[region]) + late[region]
        assert (report["objects"], report["waiting"], report["left"]) == (expected, 0, [])
        assert report["rows"].get("events", 0) == 2 * expected
        assert report["passes"] >= 1 + bool(expected)
    assert waits >= sum(bool(sum(keys[it]) or late[it]) for it in REGIONS)
    assert state["visitors"] == [f"visitor-{it}" for it in sorted(REGIONS) if any(keys[it])]


def test_person_with_the_browsers_of_a_server_is_refused() -> None:
    state = lake_erasure.first(REGIONS)
    many = [f"visitor-{it}" for it in range(lake_erasure.MAX_VISITORS + 1)]
    with pytest.raises(PermanentError, match="more anonymous ids"):
        lake_erasure.find(state, IDS, lambda *_: {"visitors": many, "shared": [], "position": None})
