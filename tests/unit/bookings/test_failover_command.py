"""Tests of the move of the home: the real record of each Region, with tables in memory."""

import io
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aws_emulator.errors import CommandError
from bookings import handler
from bookings.home import Home
from bookings.home_table import HomeTable
from tests.unit.bookings.replicas import Replica, World
from tools.operations import failover

LONDON, MUMBAI, SYDNEY = "eu-west-2", "ap-south-1", "ap-southeast-2"
REGIONS = (LONDON, MUMBAI, SYDNEY)


class Stage:
    """The function of the bookings in each Region; `lost` ones don't answer."""

    def __init__(self, *, replicates: bool = True) -> None:
        self.world = World(REGIONS)
        self.lost: set[str] = set()
        self.replicates = replicates
        self.waiting = dict.fromkeys(REGIONS, 0)
        self.lines: list[str] = []

    def homes(self) -> failover.Homes:
        return failover.Homes("test", REGIONS, lambda _service, region: FakeLambda(self, region))

    def move(self, to: str, *, is_lost: bool = False) -> str:
        """Return what the command prints."""
        self.lines.clear()
        failover.Move(self.homes(), to, is_lost, self.lines.append, self.pause).run()
        return "\n".join(self.lines)

    def pause(self, _seconds: float) -> None:
        if self.replicates:
            self.replicate()

    def replicate(self) -> None:
        """Let all writes arrive in Regions that aren't lost."""
        arriving = [n for n, it in enumerate(self.world.waiting) if it[0] not in self.lost]
        for index in reversed(arriving):
            self.world.replicate(index)

    def record(self, region: str) -> Home:
        return table(self, region).newest()


class FakeLambda:
    def __init__(self, stage: Stage, region: str) -> None:
        self.stage, self.region = stage, region

    def invoke(self, **asked: Any) -> dict[str, Any]:
        assert asked["FunctionName"] == "meridian-test-bookings"
        if self.region in self.stage.lost:
            raise ClientError({"Error": {"Code": "ServiceUnavailable"}}, "Invoke")
        event = json.loads(asked["Payload"])
        if event["action"] == "deliver":
            body = {"delivered": self.stage.waiting.pop(self.region, 0)}
            result: dict[str, Any] = {"status": 200, "body": body}
            if LONDON in self.stage.lost:
                result = {"status": 503, "body": {"code": "unavailable"}}
        else:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(handler, "home", lambda: table(self.stage, self.region))
                result = dict(handler.lambda_handler(event, None))
        return {"Payload": io.BytesIO(json.dumps(result).encode())}


def table(stage: Stage, region: str) -> HomeTable:
    return HomeTable(Replica(stage.world, region), "appointments", region, LONDON, lambda: 1)


def test_home_is_released_and_back() -> None:
    stage = Stage()
    assert f"{LONDON} accepts no more changes" in stage.move(MUMBAI)
    stage.replicate()
    assert {stage.record(it) for it in REGIONS} == {Home(MUMBAI, 1)}
    assert f"{LONDON} is the home, epoch 2" in stage.move(LONDON)
    assert f"{LONDON} is already the home" in stage.move(LONDON)


def test_home_without_an_answer_moves_only_if_a_person_says_that_it_is_lost() -> None:
    stage = Stage()
    stage.lost.add(LONDON)
    with pytest.raises(CommandError, match="LOST=1"):
        stage.move(MUMBAI)
    assert stage.record(MUMBAI) == Home(LONDON)
    printed = stage.move(MUMBAI, is_lost=True)
    assert "without an answer" in printed
    assert f"{MUMBAI}: emails about changes wait" in printed
    stage.lost.clear()
    stage.replicate()
    assert {stage.record(it) for it in REGIONS} == {Home(MUMBAI, 1)}


def test_old_home_that_answers_stops_before_the_new_one_begins() -> None:
    """LOST=1 is no reason to let two Regions accept writes."""
    stage = Stage(replicates=False)
    printed = stage.move(MUMBAI, is_lost=True)
    assert f"{LONDON} accepts no more changes" in printed
    # The record doesn't arrive, so the new home begins by itself after the wait.
    assert "without an answer" in printed
    assert stage.record(LONDON).is_moving


def test_interrupted_move_continues() -> None:
    stage = Stage(replicates=False)
    with pytest.raises(CommandError, match="Repeat the command"):
        stage.move(MUMBAI)
    assert stage.record(LONDON) == Home(MUMBAI, 1, is_moving=True)
    stage.replicate()
    assert f"{MUMBAI} is the home, epoch 1" in stage.move(MUMBAI)


@pytest.mark.parametrize("to", ["", "us-west-2"])
def test_unknown_region_is_refused(to: str) -> None:
    with pytest.raises(CommandError, match="TO must be one of"):
        Stage().move(to)


def test_lost_region_cannot_become_the_home() -> None:
    stage = Stage()
    stage.lost.add(SYDNEY)
    with pytest.raises(CommandError, match="can't become the home"):
        stage.move(SYDNEY, is_lost=True)


def test_waiting_notices_are_passed_on_from_each_further_region() -> None:
    stage = Stage()
    stage.waiting |= {MUMBAI: 3, SYDNEY: 1}
    printed = stage.move(LONDON)
    for region, count in ((MUMBAI, 3), (SYDNEY, 1)):
        assert (
            f"{region}: notices passed on to {LONDON}, which sends the emails: {count}" in printed
        )
