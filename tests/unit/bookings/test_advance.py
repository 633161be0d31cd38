"""The state machine's steps move the home as the command does, after any losses."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from aws_emulator.errors import CommandError
from bookings import advance as move_by_steps
from bookings import handler
from bookings.advance import Advance, Progress
from bookings.errors import HomeChangeError, UnavailableError
from bookings.home import Home
from bookings.settings import parse
from tests.support.examples import at_most
from tests.unit.bookings.test_failover_command import LONDON, MUMBAI, FakeLambda, Stage, table
from tests.unit.bookings.test_handler import ENVIRONMENT
from tools.operations import failover

BOTH = (LONDON, MUMBAI)


class FakeNotices:
    """The notices that wait in a Region."""

    def __init__(self, stage: Stage, region: str) -> None:
        self.stage, self.region = stage, region

    def deliver(self) -> int:
        if LONDON in self.stage.lost:
            raise UnavailableError("London doesn't answer.")
        return self.stage.waiting.pop(self.region, 0)


def advance(stage: Stage, to: str) -> Advance:
    def ask(region: str, event: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        payload = json.dumps({**event, "forwarded": "yes"}).encode()
        try:
            answer = FakeLambda(stage, region).invoke(
                FunctionName="meridian-test-bookings", Payload=payload
            )
        except ClientError:
            raise UnavailableError("The Region doesn't answer.") from None
        document = json.loads(answer["Payload"].read())
        return document["status"], document["body"]

    notices: Any = FakeNotices(stage, to)
    return Advance(to, table(stage, to), ask, lambda: notices)


def run(stage: Stage, to: str, *, is_lost: bool = False) -> list[Progress]:
    """Call the function as the state machine does; return what each call did."""
    done: list[Progress] = []
    while not done or not (done[-1].is_done or done[-1].is_refused):
        done.append(advance(stage, to).step(is_lost=is_lost, calls=len(done)))
        stage.pause(done[-1].wait_s)
        assert len(done) < 100
    return done


def moved_by_command(stage: Stage, to: str, *, is_lost: bool) -> bool:
    """Return whether the command for the stage's two Regions moved the home."""
    homes = failover.Homes("test", BOTH, lambda _service, region: FakeLambda(stage, region))
    try:
        failover.Move(homes, to, is_lost, lambda _line: None, stage.pause).run()
    except CommandError:
        return False
    return True


def moved_by_machine(stage: Stage, to: str, *, is_lost: bool) -> bool:
    """Return whether the state machine in the Region `to` moved the home."""
    if to in stage.lost:
        return False
    try:
        return run(stage, to, is_lost=is_lost)[-1].is_done
    except (HomeChangeError, UnavailableError):
        return False


REGIONS = st.sampled_from(BOTH)
EVENTS = st.lists(
    st.tuples(st.just("lose"), REGIONS)
    | st.tuples(st.just("return"), REGIONS)
    | st.tuples(st.just("replicate"), st.just(LONDON))
    | st.tuples(st.sampled_from(["move", "move the lost"]), REGIONS),
    max_size=8,
)


@settings(max_examples=at_most(40))
@given(EVENTS, st.booleans())
def test_state_machine_moves_the_home_as_the_command_does(
    events: list[tuple[str, str]], replicates: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        # A record that doesn't arrive takes no sixty calls.
        patch.setattr(move_by_steps, "ARRIVAL_CALLS", 2)
        patch.setattr(failover, "ARRIVAL_S", 2.0)
        play(events, (Stage(replicates=replicates), Stage(replicates=replicates)))


def play(events: list[tuple[str, str]], stages: tuple[Stage, Stage]) -> None:
    """Let the same happen to both stages; the home moves by the command, and by the machine."""
    for kind, region in events:
        for stage in stages:
            if kind == "lose":
                stage.lost.add(region)
            elif kind == "return":
                stage.lost.discard(region)
            elif kind == "replicate":
                stage.replicate()
        if kind.startswith("move"):
            is_lost = kind == "move the lost"
            is_moved = moved_by_command(stages[0], region, is_lost=is_lost)
            assert moved_by_machine(stages[1], region, is_lost=is_lost) == is_moved
        for stage in stages:
            # The state machine pauses once more than the command.
            stage.pause(1)
        by_command, by_machine = ({it: stage.record(it) for it in BOTH} for stage in stages)
        assert by_command == by_machine


def test_each_step_is_told_in_words() -> None:
    stage = Stage()
    texts = [it.text for it in run(stage, MUMBAI)]
    assert texts == [
        f"{LONDON} accepts no more changes of bookings.",
        f"{MUMBAI} is the home, epoch 1.",
        f"{MUMBAI} is the home, epoch 1.",
    ]
    stage.replicate()
    assert [it.is_done for it in run(stage, MUMBAI)] == [True]


def test_notices_are_passed_on_before_the_end() -> None:
    stage = Stage()
    run(stage, MUMBAI)
    stage.replicate()
    stage.waiting[MUMBAI] = 7
    assert next(it.text for it in run(stage, MUMBAI)) == "Notices passed on: 7."


def test_emails_wait_for_a_lost_region_of_the_accounts() -> None:
    stage = Stage()
    stage.lost.add(LONDON)
    (refused,) = run(stage, MUMBAI)
    assert refused.is_refused
    assert '{"lost": true}' in refused.text
    assert stage.record(MUMBAI) == Home(LONDON)
    *_, last = run(stage, MUMBAI, is_lost=True)
    assert "Emails about changes wait" in last.text
    assert stage.record(MUMBAI) == Home(MUMBAI, 1)


def test_record_that_never_arrives_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(move_by_steps, "ARRIVAL_CALLS", 2)
    stage = Stage(replicates=False)
    *_, last = run(stage, MUMBAI)
    assert last.is_refused
    assert "No Region accepts changes of bookings." in last.text
    assert run(stage, MUMBAI, is_lost=True)[-1].is_done


def test_function_does_a_step_for_the_state_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage()
    stage.lost.add(LONDON)
    environment = ENVIRONMENT | {"AWS_REGION": MUMBAI, "HOME_REGION": LONDON}
    move = advance(stage, MUMBAI)
    monkeypatch.setattr(handler, "settings", lambda: parse(environment))
    monkeypatch.setattr(handler, "home", lambda: table(stage, MUMBAI))
    monkeypatch.setattr(handler, "forwarder", lambda: move)
    monkeypatch.setattr(move, "ask", move._ask, raising=False)
    answer = handler.lambda_handler({"action": "advance", "lost": True, "calls": 0}, None)
    assert answer["status"] == 200
    assert answer["body"] == {
        "text": f"{MUMBAI} is the home, epoch 1, without an answer of the old one.",
        "waitSeconds": 1,
        "done": False,
        "refused": False,
    }
