"""The home of the bookings moves to Mumbai after the loss of London, and back."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import httpx
import pytest

from aws_emulator.errors import CommandError
from tests.support.advisors import new_slot, start_in
from tests.support.waiting import wait_until
from tests.system.conftest import LONDON, MUMBAI
from tests.system.test_regions import call_api
from tools.dev import system
from tools.operations import conflicts, failover
from tools.stack import StackTarget, client

pytestmark = pytest.mark.integration

ACCOUNT = "000000000000"
#: Their slots are more than a student books during two moves.
ADVISORS = 25
#: The subject of the email to the student who has the slot.
KEPT = "Your appointment stands"


def control(running: system.System, path: str) -> None:
    httpx.post(f"{running.target.endpoint}/_local/{path}", timeout=30).raise_for_status()


@contextmanager
def lost(running: system.System, region: str) -> Iterator[None]:
    """Lose a Region; nothing that it wrote in its last seconds has reached another one."""
    control(running, f"outage?region={region}&on=1")
    try:
        yield
    finally:
        control(running, f"outage?region={region}&on=0")
        control(running, "replication?held=0")


def slots_of(running: system.System, count: int) -> list[dict[str, str]]:
    """Return slots with new advisors, which both Regions know."""
    slots = [new_slot(running) for _ in range(count)]
    dynamodb = client("dynamodb", StackTarget(running.target.endpoint, MUMBAI))

    def is_known(advisor: str) -> bool:
        answer = dynamodb.get_item(
            TableName=f"meridian-{running.target.stage}-appointments",
            Key={"pk": {"S": "ADVISORS"}, "sk": {"S": f"ADVISOR#{advisor}"}},
        )
        return "Item" in answer

    wait_until(lambda: all(is_known(it["advisorId"]) for it in slots), "the advisors in Mumbai")
    return slots


def stored(running: system.System, region: str, slot: dict[str, str]) -> dict[str, Any]:
    """Return a slot's item in a Region's replica."""
    table = f"meridian-{running.target.stage}-appointments"
    key = {"pk": {"S": f"ADVISOR#{slot['advisorId']}"}, "sk": {"S": f"SLOT#{slot['start']}"}}
    dynamodb = client("dynamodb", StackTarget(running.target.endpoint, region))
    answer = dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True)
    return {name: next(iter(it.values())) for name, it in answer.get("Item", {}).items()}


def move(running: system.System, to: str, *, is_lost: bool = False) -> list[str]:
    """Move the home as `make failover` does; return what it prints."""
    lines: list[str] = []
    homes = failover.local_homes(running.directory)
    failover.Move(homes, to, is_lost, lines.append).run()
    return lines


def move_by_machine(running: system.System, to: str, *, is_lost: bool = False) -> tuple[str, str]:
    """Move the home by the state machine in a Region; return the status and the last text."""
    states = client("stepfunctions", StackTarget(running.target.endpoint, to))
    arn = f"arn:aws:states:{to}:{ACCOUNT}:stateMachine:meridian-{running.target.stage}-failover"
    text = json.dumps({"lost": True} if is_lost else {})
    execution = states.start_execution(stateMachineArn=arn, input=text)["executionArn"]
    executions: list[Any] = []

    def has_ended() -> bool:
        executions.append(states.describe_execution(executionArn=execution))
        return bool(executions[-1]["status"] != "RUNNING")

    wait_until(has_ended, "the end of the execution", 120)
    ended = executions[-1]
    has_moved = ended["status"] == "SUCCEEDED"
    text = json.loads(ended["output"])["text"] if has_moved else ended["cause"]
    return str(ended["status"]), str(text)


def sub_of(running: system.System, student: int) -> str:
    """Return a student's id in the user pool, from the claims of the token."""
    payload = running.students[student].token.split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["sub"])


def emails_about(running: system.System, text: str) -> list[str]:
    """Return the recipients of the sent emails that contain a text."""
    url = f"{running.target.endpoint}/_local/emails"
    emails = httpx.get(url, timeout=30).raise_for_status().json()
    return sorted(it["To"][0] for it in emails if text in str(it))


def notice(running: system.System, student: int, slot: dict[str, str]) -> str:
    """Return the newest change of an appointment in the outbox of the emails."""
    key = {
        "pk": {"S": f"STUDENT#{sub_of(running, student)}"},
        "sk": {"S": f"OUTBOX#APPOINTMENT#{slot['start']}/{slot['advisorId']}"},
    }
    table = f"meridian-{running.target.stage}-accounts"
    answer = client("dynamodb", running.target).get_item(TableName=table, Key=key)
    return str(answer.get("Item", {}).get("notice", {}).get("S", ""))


def test_home_moves_after_a_loss_and_back(regions: system.System) -> None:
    # A further Region knows an advisor once the registration has reached it.
    contested, free, later = slots_of(regions, 3)
    control(regions, "replication?held=1")
    assert call_api(regions, LONDON, "POST", "/appointments", contested, student=1)[0] == 201
    with lost(regions, LONDON):
        status, refusal = call_api(regions, MUMBAI, "POST", "/appointments", free)
        assert (status, refusal["code"]) == (503, "unavailable")
        with pytest.raises(CommandError, match="LOST=1"):
            move(regions, MUMBAI)
        assert f"{MUMBAI} is the home" in " ".join(move(regions, MUMBAI, is_lost=True))
        # London's booking hasn't reached Mumbai, so a second student gets the slot.
        for slot in (free, contested):
            assert call_api(regions, MUMBAI, "POST", "/appointments", slot)[0] == 201
        link = f"/appointments/{free['advisorId']}/{free['start']}"
        assert call_api(regions, MUMBAI, "DELETE", link) == (204, None)
    # London is back, knows the new home and lets it answer.
    assert call_api(regions, LONDON, "POST", "/appointments", later)[0] == 201
    for region in (LONDON, MUMBAI):
        assert stored(regions, region, later)["origin_region"] == MUMBAI
        assert stored(regions, region, later)["home_epoch"] == "1"
        assert stored(regions, region, contested)["student"] == sub_of(regions, 0)
        assert "student" not in stored(regions, region, free)
    assert notice(regions, 0, later) == ""

    lines = move(regions, LONDON)
    assert any(line.startswith(f"{LONDON} is the home") for line in lines), lines
    assert (notice(regions, 0, later), notice(regions, 0, free)) == ("booked", "cancelled")
    again = new_slot(regions)
    assert call_api(regions, MUMBAI, "POST", "/appointments", again)[0] == 201
    assert stored(regions, MUMBAI, again)["origin_region"] == LONDON
    assert "already the home" in " ".join(move(regions, LONDON))

    # The first student was promised the slot, too: both hear of it once.
    tables = conflicts.tables_of(failover.local_homes(regions.directory))
    (conflict,) = tables.conflicts()
    assert (conflict.student, conflict.holder) == (sub_of(regions, 1), sub_of(regions, 0))
    printed: list[str] = []
    assert conflicts.run(tables, resolves=True, say=printed.append) == 0
    assert (notice(regions, 1, contested), notice(regions, 0, contested)) == ("conflict", "kept")
    winner = regions.students[0].email
    wait_until(lambda: winner in emails_about(regions, KEPT), "the email to the other student")
    loser = regions.students[1].email
    reason = "another student got the same time"
    wait_until(lambda: loser in emails_about(regions, reason), "the email about the conflict")
    assert conflicts.run(tables, resolves=True, say=printed.append) == 0
    assert printed[-1] == "No slot was promised to two students."
    assert emails_about(regions, reason) == [loser]
    assert emails_about(regions, KEPT) == [winner]


def test_home_moves_by_the_state_machine_of_a_region(regions: system.System) -> None:
    """As an operator without a laptop starts it, in the Region that becomes the home."""
    first, second = slots_of(regions, 2)
    # The authorizer of each API reads the user pool's keys before the loss.
    for region in (LONDON, MUMBAI):
        assert call_api(regions, region, "GET", "/appointments")[0] == 200
    with lost(regions, LONDON):
        status, text = move_by_machine(regions, MUMBAI)
        assert status == "FAILED"
        assert '{"lost": true}' in text
        status, text = move_by_machine(regions, MUMBAI, is_lost=True)
        assert (status, text.partition(",")[0]) == ("SUCCEEDED", f"{MUMBAI} is the home")
        assert call_api(regions, MUMBAI, "POST", "/appointments", first)[0] == 201
    assert call_api(regions, LONDON, "POST", "/appointments", second)[0] == 201
    assert stored(regions, LONDON, second)["origin_region"] == MUMBAI
    move(regions, LONDON)
    assert notice(regions, 0, first) == "booked"


class Bookings:
    """Bookings of one student through the API of each Region, until the end of the context."""

    def __init__(self, running: system.System) -> None:
        self.running = running
        self.accepted: list[dict[str, str]] = []
        self.statuses: set[int] = set()
        advisors = [it["advisorId"] for it in slots_of(running, ADVISORS)]
        #: Each half hour of a day with each advisor.
        self._slots = [
            {"advisorId": advisor, "start": start_in(5, minutes)}
            for advisor in advisors
            for minutes in range(0, 24 * 60, 30)
        ]
        self._is_ended = threading.Event()
        self._thread = threading.Thread(target=self._book)

    def _book(self) -> None:
        while not self._is_ended.is_set():
            for region in (LONDON, MUMBAI):
                slot = self._slots.pop()
                status, _ = call_api(self.running, region, "POST", "/appointments", slot)
                self.statuses.add(status)
                if status == 201:
                    self.accepted.append(slot)

    def wait_for_more(self) -> None:
        """Wait until both Regions have accepted further bookings."""
        enough = len(self.accepted) + 4
        wait_until(lambda: len(self.accepted) >= enough, "further bookings")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_ended.set()
        self._thread.join()


def test_orderly_move_by_the_state_machine_loses_no_booking(regions: system.System) -> None:
    """With the input {} both homes answer: one stops before the other begins, and back."""
    with Bookings(regions) as bookings:
        bookings.wait_for_more()
        for home, old in ((MUMBAI, LONDON), (LONDON, MUMBAI)):
            status, text = move_by_machine(regions, home)
            assert (status, text.partition(",")[0]) == ("SUCCEEDED", f"{home} is the home")
            bookings.wait_for_more()
            slot = new_slot(regions)
            assert call_api(regions, old, "POST", "/appointments", slot)[0] == 201
            assert stored(regions, old, slot)["origin_region"] == home
    # Between the end of one home and the beginning of the other, a booking is refused honestly.
    assert bookings.statuses <= {201, 503}
    for slot in bookings.accepted:
        for region in (LONDON, MUMBAI):
            assert stored(regions, region, slot)["student"] == sub_of(regions, 0)
    assert not conflicts.tables_of(failover.local_homes(regions.directory)).conflicts()
