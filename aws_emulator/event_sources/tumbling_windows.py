"""Tumbling windows: which one a record belongs to, and the state handed from call to call.

All quotations are from services-kinesis-windows.
"""

import datetime as dt
import json
from dataclasses import dataclass, field, replace
from typing import Any

from aws_emulator.event_sources.responses import Outcome

#: "Your state can be a maximum of 1 MB per shard. If it exceeds that size, Lambda terminates the
#: window early."
MAX_STATE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Window:
    """One window. `start` in Unix seconds; `early` once its state has outgrown the limit."""

    start: int
    seconds: int
    state: Any = field(default_factory=dict)
    early: bool = False

    @property
    def end(self) -> int:
        """The first second that is no longer in the window."""
        return self.start + self.seconds

    def event_fields(self, *, final: bool, shard_id: str, stream_arn: str) -> dict[str, Any]:
        """What stands beside Records in the event (example KinesisTimeWindowEvent)."""
        return {
            "window": {"start": _iso(self.start), "end": _iso(self.end)},
            "state": self.state,
            "shardId": shard_id,
            "eventSourceARN": stream_arn,
            # "At the end of the window, the flag isFinalInvokeForWindow is set to true to indicate
            # that this is the final state and that it's ready for processing."
            "isFinalInvokeForWindow": final,
            "isWindowTerminatedEarly": final and self.early,
        }


def window_start(arrived: float, seconds: int) -> int:
    """The start of the window that a record belongs to.

    "Lambda determines tumbling window boundaries based on the time when records were inserted into
    the stream."
    """
    return int(arrived // seconds) * seconds


def update_state(window: Window, outcome: Outcome) -> Window:
    """The window after an aggregating call that kept its state."""
    state = json.loads(outcome.body)["state"]
    large = len(json.dumps(state, separators=(",", ":")).encode()) > MAX_STATE_BYTES
    return replace(window, state=state, early=window.early or large)


def _iso(seconds: int) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
