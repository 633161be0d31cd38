"""The fault of one invocation: its kind, and the call before or after which it happens."""

import itertools
from collections import Counter
from dataclasses import dataclass
from typing import Final, Literal

from aws_emulator.simulator import PointFault, Task

#: crash: the process dies. error: the request is lost ("before"), or its response ("after").
#: resent: the response is lost, and the SDK sends the request again. stop: the invocation pauses;
#: others run, or it times out, and it continues later.
type FaultKind = Literal["crash", "error", "resent", "stop"]

#: The calls of the handlers.
CALLS: Final = (
    "s3 put_object",
    "dynamodb put_item checkpoints",
    "dynamodb put_item live",
    "dynamodb get_item checkpoints",
    "dynamodb get_item live",
    "s3 list_objects_v2",
    "s3 head_object",
    "s3 get_object",
)


@dataclass(slots=True)
class FaultPlan:
    """One fault, at the `nth` time (from 0) that an invocation reaches the call and the moment."""

    kind: FaultKind | None = None
    call: str = ""
    moment: str = ""
    nth: int = 0

    def matches(self, label: str) -> bool:
        """Whether the fault happens at this fault point. It happens once."""
        if self.kind is None:
            return False
        if not (label.startswith(self.call) and label.endswith(self.moment)):
            return False
        self.nth -= 1
        return self.nth < 0

    def fault(self, label: str, counts: Counter[str]) -> PointFault | None:
        """Return the fault at a fault point, other than a pause."""
        kind = self.kind
        if kind is None or kind == "stop" or not self.matches(label):
            return None
        self.kind = None
        counts[NAMES[kind, self.moment]] += 1
        return kind

    def run(self, task: Task, counts: Counter[str]) -> None:
        """Run an invocation until it ends, or until it pauses at a `stop` fault."""
        if self.kind != "stop" and not task.threaded:
            task.run()
            return
        while not task.done:
            task.step()
            if self.kind == "stop" and task.paused_at and self.matches(task.paused_at):
                counts[NAMES["stop", self.moment]] += 1
                return


#: The name of each fault in the report.
NAMES: Final[dict[tuple[FaultKind, str], str]] = {
    ("crash", "before"): "process crashed before a call",
    ("crash", "after"): "process crashed after a call",
    ("crash", ""): "process crashed at the start or end",
    ("error", "before"): "request lost",
    ("error", "after"): "response lost",
    ("resent", "after"): "response lost, request sent again",
    ("stop", "before"): "paused before a call",
    ("stop", "after"): "paused after a call",
}

_AT_CALLS: Final = [
    (kind, call, moment) for call, (kind, moment) in itertools.product(CALLS, NAMES) if moment
]
_ENDS: Final[list[tuple[FaultKind, str, str]]] = [("crash", "start", ""), ("crash", "end", "")]
#: Half of the faults are at writes, which are critical. The first entry means no fault.
KINDS: Final[list[tuple[FaultKind | None, str, str]]] = [
    (None, "", ""),
    *[(None, "", "")] * (len(_AT_CALLS) // 2),
    *[kind for kind in _AT_CALLS if "put" in kind[1]],
    *_AT_CALLS,
    *_ENDS,
]
