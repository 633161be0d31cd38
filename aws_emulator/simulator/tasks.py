"""Calls of a handler that can be stopped between any two of its steps.

Each call that may overlap with another runs in a thread of its own, but only one thread runs at a
time: it hands over at `fault_point` and nowhere else, to the one that the scheduler picks. So a run
is decided by its seed alone.
"""

import json
import threading
from collections.abc import Callable
from typing import Any, Literal

from aws_emulator.event_sources.responses import Outcome
from aws_emulator.simulator.faults import PointFault

type Handler = Callable[[dict[str, Any]], Any]
#: Asked at each fault point, with its label and whether the call can fail there.
type Decider = Callable[["Task", str, bool], PointFault | None]

Ended = Literal["returned", "raised", "crashed", "abandoned"]

_here = threading.local()


class Crash(BaseException):
    """Raised at a fault point where the process dies. `except Exception` does not see it."""


class Abandoned(Crash):
    """Raised in a zombie that is not run to its end."""


def fault_point(label: str = "", error: Callable[[], Exception] | None = None) -> PointFault | None:
    """A place between two I/O steps where a handler can be stopped.

    A fake of S3 or DynamoDB calls it before and after each effect:

        def put_object(self, key, body):
            fault_point("put: before", error=lambda: ServiceUnavailable())
            self.objects[key] = body
            fault_point("put: after", error=lambda: ConnectionLost())

    Another invocation may run while this one stands here; the process may die here; and where
    `error` is given, the call may fail with it (before the effect: it did not happen; after it: it
    happened and the caller does not know). Returns "resent" where the caller is to do its effect
    once more. Outside of a simulation it does nothing.
    """
    task: Task | None = getattr(_here, "task", None)
    return None if task is None else task.reach(label, error)


class Task:
    """One call of the handler with one event."""

    def __init__(self, number: int, handler: Handler, event: str, decide: Decider) -> None:
        self.number = number
        self.outcome = Outcome("function_error", error="Unhandled")
        self.ended: Ended | None = None
        self.timed_out = False
        self._handler = handler
        self._event = event
        self._decide = decide
        self._thread: threading.Thread | None = None
        self._go, self._back = threading.Semaphore(0), threading.Semaphore(0)
        self._paused_at: tuple[str, bool] | None = None
        self._fault: PointFault | None = None
        self._abandon = False
        self._broken: BaseException | None = None

    @property
    def done(self) -> bool:
        """Whether the call has ended, in whatever way."""
        return self.ended is not None

    @property
    def threaded(self) -> bool:
        """Whether the call runs in a thread of its own, and so can be left and come back to."""
        return self._thread is not None

    @property
    def paused_at(self) -> str | None:
        """The fault point that the call has come to and not left, where it runs in a thread."""
        return self._paused_at[0] if self._paused_at else None

    def run(self) -> None:
        """Run the whole call here. It cannot be left and come back to."""
        outer = getattr(_here, "task", None)
        _here.task = self
        try:
            self._call()
        finally:
            _here.task = outer
        self._tell_broken()

    def step(self) -> None:
        """Run the call up to its next fault point, or let it time out where it stands."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._threaded, daemon=True)
            self._thread.start()
        elif self._paused_at:
            # Decided here and not in the call's own thread: one thread draws all the chances.
            self._fault = self._decide(self, *self._paused_at)
            self._paused_at = None
            if self._fault == "timeout":
                self.timed_out = True
                return
        self._resume()
        self._tell_broken()

    def abandon(self) -> None:
        """End a call at the place where it stands."""
        self._abandon = True
        while self._thread is not None and not self.done:
            self._resume()
        self.ended = self.ended or "abandoned"

    def reach(self, label: str, error: Callable[[], Exception] | None) -> PointFault | None:
        """The handler has come to a fault point."""
        if self._thread is threading.current_thread():
            self._paused_at = (label, error is not None)
            self._back.release()
            self._go.acquire()
            if self._abandon:
                raise Abandoned
        else:
            self._fault = self._decide(self, label, error is not None)
        if self._fault == "crash":
            raise Crash(label)
        if self._fault == "error" and error is not None:
            raise error()
        return self._fault

    def _resume(self) -> None:
        self._go.release()
        self._back.acquire()
        if self.done and self._thread:
            self._thread.join()

    def _tell_broken(self) -> None:
        """An assertion that failed in the handler is a finding of the test, not a failed call."""
        if self._broken is not None:
            raise self._broken

    def _threaded(self) -> None:
        self._go.acquire()
        _here.task = self
        self._call()
        self._back.release()

    def _call(self) -> None:
        try:
            body = json.dumps(self._handler(json.loads(self._event)))
        except Abandoned:
            self.ended = "abandoned"
        except Crash:
            self.ended = "crashed"
        except AssertionError as error:
            self.ended, self._broken = "raised", error
        except Exception as error:  # noqa: BLE001 -- as the runtime does: any error is the answer
            self.ended = "raised"
            self.outcome = Outcome(
                "function_error",
                body=json.dumps({"errorType": type(error).__name__}).encode(),
                error="Unhandled",
                request_id=f"request-{self.number}",
            )
        except BaseException as error:  # noqa: BLE001 -- the scheduler waits: it must be told
            self.ended, self._broken = "crashed", error
        else:
            self.ended = "returned"
            self.outcome = Outcome(
                "returned", body=body.encode(), request_id=f"request-{self.number}"
            )
