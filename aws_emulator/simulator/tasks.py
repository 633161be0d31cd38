"""Handler invocations that can be paused at fault points.

Each invocation that may overlap with another has its own thread. One thread runs at a time, and
it yields to the scheduler only at a `fault_point`, so that the seed determines the run.
"""

import json
import threading
from collections.abc import Callable
from typing import Any, Literal

from aws_emulator.event_sources.responses import Outcome
from aws_emulator.simulator.faults import PointFault

type Handler = Callable[[dict[str, Any]], Any]
#: Returns the fault at a fault point, given its label and whether the call can fail there.
type Decider = Callable[["Task", str, bool], PointFault | None]

Ended = Literal["returned", "raised", "crashed", "abandoned"]

_here = threading.local()


class Crash(BaseException):
    """Raised at a fault point where the process dies. `except Exception` does not catch it."""


class Abandoned(Crash):
    """Raised in an invocation that the test does not run to its end."""


def fault_point(label: str = "", error: Callable[[], Exception] | None = None) -> PointFault | None:
    """Mark a point between two I/O steps where the simulator can inject a fault.

    A fake of S3 or DynamoDB calls it before and after each effect:

        def put_object(self, key, body):
            fault_point("put: before", error=lambda: ServiceUnavailable())
            self.objects[key] = body
            fault_point("put: after", error=lambda: ConnectionLost())

    At this point another invocation may run, the process may die, and the call may fail with
    `error`: before the effect, it did not happen; after the effect, it happened and the caller
    doesn't know. Returns "resent" if the caller must repeat its effect. Does nothing outside of a
    simulation.

    Raises:
        Exception: The injected fault is `error`.
    """
    task: Task | None = getattr(_here, "task", None)
    return None if task is None else task.reach(label, error)


class Task:
    """One invocation of the handler with one event."""

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
        self._unexpected: BaseException | None = None

    @property
    def done(self) -> bool:
        """Whether the invocation has ended."""
        return self.ended is not None

    @property
    def threaded(self) -> bool:
        """Whether the invocation has its own thread, so that it can be paused."""
        return self._thread is not None

    @property
    def paused_at(self) -> str | None:
        """The label of the fault point at which the invocation's thread is paused."""
        return self._paused_at[0] if self._paused_at else None

    def run(self) -> None:
        """Run the whole invocation in the caller's thread, without pauses."""
        outer = getattr(_here, "task", None)
        _here.task = self
        try:
            self._call()
        finally:
            _here.task = outer
        self._raise_unexpected()

    def step(self) -> None:
        """Run the invocation to its next fault point, or let it time out at the current one."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._threaded, daemon=True)
            self._thread.start()
        elif self._paused_at:
            # The caller's thread draws all faults, so that their order is deterministic.
            self._fault = self._decide(self, *self._paused_at)
            self._paused_at = None
            if self._fault == "timeout":
                self.timed_out = True
                return
        self._resume()
        self._raise_unexpected()

    def abandon(self) -> None:
        """End the invocation at its current fault point."""
        self._abandon = True
        while self._thread is not None and not self.done:
            self._resume()
        self.ended = self.ended or "abandoned"

    def reach(self, label: str, error: Callable[[], Exception] | None) -> PointFault | None:
        """Handle a fault point: pause, then raise or return the fault. See `fault_point`.

        Raises:
            Crash: The process dies at this point.
            Abandoned: The simulator ends the invocation.
            Exception: The fault is the error of this fault point.
        """
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

    def _raise_unexpected(self) -> None:
        """Re-raise a failed assertion of the handler: it is a finding, not a function error."""
        if self._unexpected is not None:
            raise self._unexpected

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
            self.ended, self._unexpected = "raised", error
        except Exception as error:  # noqa: BLE001 -- the runtime reports any exception
            self.ended = "raised"
            self.outcome = Outcome(
                "function_error",
                body=json.dumps({"errorType": type(error).__name__}).encode(),
                error="Unhandled",
                request_id=f"request-{self.number}",
            )
        except BaseException as error:  # noqa: BLE001 -- re-raised in the scheduler's thread
            self.ended, self._unexpected = "crashed", error
        else:
            self.ended = "returned"
            self.outcome = Outcome(
                "returned", body=body.encode(), request_id=f"request-{self.number}"
            )
