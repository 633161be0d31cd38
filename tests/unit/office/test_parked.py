"""Parked requests: their states, and finish and undo under repeated clicks and races."""

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from office.errors import ParkedSettledError, UnavailableError, UnknownParkedError
from office.parked import Parked, ParkedRequests, Progress, state

ID = "1790000000000-0b0e7a94-3c9c-4f6e-9a3e-0d4a2c7b9f10"
PARKED = Parked(ID, "request-1", "account-1", "c-1", "Sandbox.Timedout", 1_790_000_000_000)


@dataclass
class FakeQueue:
    """The account workflow runs at once, and creates or removes the account."""

    account: Progress = field(
        default_factory=lambda: Progress("pending", has_form=True, email="a@b.c")
    )
    queued: list[Parked] = field(default_factory=lambda: [PARKED])
    items: dict[str, Parked] = field(default_factory=dict)
    started: list[str] = field(default_factory=list)
    fails: bool = False

    def take_in(self) -> None:
        for message in self.queued:
            self.items.setdefault(message.id, message)

    def listed(self) -> tuple[list[Parked], bool]:
        return list(self.items.values()), False

    def parked(self, parked_id: str) -> Parked | None:
        return self.items.get(parked_id)

    def progress(self, parked: Parked) -> Progress:
        return self.account

    def note(self, parked: Parked, action: str, reason: str, by: str, now_ms: int) -> None:
        self.items[parked.id] = replace(parked, action=action, reason=reason, by=by)

    def withdraw(self, parked: Parked, now_ms: int) -> bool:
        if self.account.account_status == "active":
            return False
        self.account = replace(self.account, account_status="withdrawn")
        return True

    def start(self, parked: Parked, name: str) -> None:
        if self.fails:
            raise UnavailableError("down")
        if name in self.started:
            return
        self.started.append(name)
        if self.account.account_status == "withdrawn":
            self.account = Progress("withdrawn", has_form=False)
        else:
            self.account = Progress("active", has_form=True)


def requests_of(queue: FakeQueue) -> ParkedRequests:
    requests = ParkedRequests(queue, lambda: 1_790_000_000_001)
    requests.list()
    return requests


@pytest.mark.parametrize(
    ("status", "has_form", "expected"),
    [
        ("active", True, "created"),
        ("pending", True, "waiting"),
        ("", True, "waiting"),
        ("withdrawn", True, "undoing"),
        ("withdrawn", False, "undone"),
        ("", False, "expired"),
        ("pending", False, "expired"),
    ],
)
def test_state_follows_from_the_account_and_its_form(
    status: str, has_form: bool, expected: str
) -> None:
    assert state(Progress(status, has_form)) == expected


def test_finish_creates_the_account() -> None:
    queue = FakeQueue()
    requests = requests_of(queue)
    (listed,) = requests.list()["parked"]
    assert (listed["state"], listed["error"]) == ("waiting", "Sandbox.Timedout")
    assert listed["email"] == "a@b.c"
    done = requests.act(ID, "finish", "r-1", "The quota is raised.", "office@example.com")
    assert (done["state"], done["action"], done["by"]) == (
        "created",
        "finish",
        "office@example.com",
    )
    assert queue.started == ["office-r-1"]


def test_undo_withdraws_before_it_starts_the_workflow() -> None:
    queue = FakeQueue()
    requests = requests_of(queue)
    queue.fails = True
    with pytest.raises(UnavailableError):
        requests.act(ID, "undo", "r-1", "Left.", "office@example.com")
    assert requests.list()["parked"][0]["state"] == "undoing"
    queue.fails = False
    assert requests.act(ID, "finish", "r-2", "Left.", "office@example.com")["state"] == "undone"


@pytest.mark.parametrize("action", ["finish", "undo"])
def test_ended_request_is_refused_and_starts_nothing(action: str) -> None:
    queue = FakeQueue(Progress("active", has_form=True))
    requests = requests_of(queue)
    with pytest.raises(ParkedSettledError):
        requests.act(ID, action, "r-1", "r", "office@example.com")
    assert (queue.started, queue.account.account_status) == ([], "active")


def test_unknown_request_is_refused() -> None:
    with pytest.raises(UnknownParkedError):
        requests_of(FakeQueue()).act("other", "finish", "r-1", "r", "office@example.com")


clicks = st.lists(st.tuples(st.sampled_from(["finish", "undo"]), st.integers(0, 2)), max_size=8)


@given(clicks)
def test_repeated_clicks_end_as_the_first_one(plan: list[tuple[str, int]]) -> None:
    queue = FakeQueue()
    requests = requests_of(queue)
    refused = 0
    for action, number in plan:
        try:
            requests.act(ID, action, f"r-{number}", "r", "office@example.com")
        except ParkedSettledError:
            refused += 1
    assert len(queue.started) == (1 if plan else 0)
    assert refused == max(0, len(plan) - 1)
    expected = {"finish": "created", "undo": "undone"}[plan[0][0]] if plan else "waiting"
    assert requests.list()["parked"][0]["state"] == expected


def test_message_that_is_delivered_again_changes_nothing() -> None:
    queue = FakeQueue()
    requests = requests_of(queue)
    requests.act(ID, "undo", "r-1", "Left.", "office@example.com")
    (listed,) = requests.list()["parked"]
    assert (listed["action"], listed["reason"], listed["state"]) == ("undo", "Left.", "undone")
