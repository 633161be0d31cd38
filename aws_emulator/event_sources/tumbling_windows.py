"""Tumbling windows: their boundaries, and the state passed from invocation to invocation.

All quotations are from services-kinesis-windows.
"""

import datetime as dt
import json
from dataclasses import dataclass, field, replace
from typing import Any, Final

from aws_emulator.event_sources.responses import Outcome

#: "Your state can be a maximum of 1 MB per shard. If it exceeds that size, Lambda terminates the
#: window early."
MAX_STATE_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class TumblingWindow:
    """One window. `start` is in Unix seconds; `early` is set once the state exceeds the limit."""

    start: int
    seconds: int
    state: Any = field(default_factory=dict)
    early: bool = False

    @property
    def end(self) -> int:
        """The end of the window in Unix seconds, exclusive."""
        return self.start + self.seconds

    def event_fields(self, *, final: bool, shard_id: str, stream_arn: str) -> dict[str, Any]:
        """Return the event's fields beside Records (example event KinesisTimeWindowEvent)."""
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
    """Return the start of the window of a record that arrived at `arrived`, in Unix seconds.

    "Lambda determines tumbling window boundaries based on the time when records were inserted into
    the stream."
    """
    return int(arrived // seconds) * seconds


def update_state(window: TumblingWindow, outcome: Outcome) -> TumblingWindow:
    """Return the window with the state that the function returned."""
    state = json.loads(outcome.body)["state"]
    large = len(json.dumps(state, separators=(",", ":")).encode()) > MAX_STATE_BYTES
    return replace(window, state=state, early=window.early or large)


def _iso(seconds: int) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
