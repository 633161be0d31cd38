"""Parked requests: account workflows that couldn't end by themselves. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from office.errors import ParkedSettledError, UnknownParkedError
from office.office_table import time_text

#: States in which the office can act.
OPEN: Final = frozenset({"waiting", "undoing"})


@dataclass(frozen=True, slots=True)
class Parked:
    """A message of the queue `parked`. `at_ms` is when it was sent; `id` is unique per message.

    `trusted`: the request is a row of a roster, which can change a student who has an account.
    """

    id: str
    request: str
    account: str
    correlation: str
    error: str
    at_ms: int
    action: str = ""
    reason: str = ""
    by: str = ""
    trusted: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """What the accounts table has of a parked request. `email` is "" without the form."""

    account_status: str
    has_form: bool
    email: str = ""


def state(progress: Progress) -> str:
    """Return the state of a parked request.

    `waiting`: can be finished or undone. `undoing`: its undoing has begun and can only be finished.
    `created`, `undone`: it ended. `expired`: the form has expired, so there is nothing to do.
    """
    if progress.account_status == "active":
        return "created"
    if progress.account_status == "withdrawn":
        return "undoing" if progress.has_form else "undone"
    return "waiting" if progress.has_form else "expired"


class Queue(Protocol):
    """The queue, the office's items of its messages, and the account workflow."""

    def take_in(self) -> None:
        """Move the queue's messages to the table."""

    def listed(self) -> tuple[list[Parked], bool]:
        """Return the newest parked requests, and whether there are more."""

    def parked(self, parked_id: str) -> Parked | None:
        """Return one."""

    def progress(self, parked: Parked) -> Progress:
        """Return what the accounts table has of it."""

    def note(self, parked: Parked, action: str, reason: str, by: str, now_ms: int) -> None:
        """Record who acted, when and why."""

    def withdraw(self, parked: Parked, now_ms: int) -> bool:
        """Prevent that the account becomes active; False if it is."""

    def start(self, parked: Parked, name: str) -> None:
        """Start the account workflow; the same name starts it once."""


class ParkedRequests:
    """The office's operations on parked requests."""

    def __init__(self, queue: Queue, now_ms: Callable[[], int]) -> None:
        self._queue = queue
        self._now_ms = now_ms

    def list(self) -> dict[str, Any]:
        """Return the newest parked requests with their states.

        Raises:
            UnavailableError: A service failed.
        """
        self._queue.take_in()
        listed, more = self._queue.listed()
        return {"parked": [self._document(it) for it in listed], "more": more}

    def act(
        self, parked_id: str, action: str, request_id: str, reason: str, by: str
    ) -> dict[str, Any]:
        """Finish or undo a parked request; repeating the same request changes nothing more.

        An undo first withdraws the account, like the account workflow itself: a finish that runs at
        the same time then undoes it, too.

        Raises:
            UnknownParkedError: No parked request has this id.
            ParkedSettledError: It has ended.
            UnavailableError: A service failed.
        """
        parked = self._queue.parked(parked_id)
        if parked is None:
            raise UnknownParkedError("No parked request has this id.")
        now = self._now_ms()
        if state(self._queue.progress(parked)) not in OPEN:
            raise ParkedSettledError("This request has ended: there is nothing to do.")
        self._queue.note(parked, action, reason, by, now)
        if action == "undo" and not self._queue.withdraw(parked, now):
            raise ParkedSettledError("The account is active: it can't be undone.")
        self._queue.start(parked, f"office-{request_id}")
        again = self._queue.parked(parked_id)
        return self._document(again or parked)

    def _document(self, parked: Parked) -> dict[str, Any]:
        progress = self._queue.progress(parked)
        return {
            "parkedId": parked.id,
            "requestId": parked.request,
            "accountId": parked.account,
            "email": progress.email,
            "error": parked.error,
            "parkedAt": time_text(parked.at_ms),
            "state": state(progress),
            "action": parked.action,
            "reason": parked.reason,
            "by": parked.by,
        }
