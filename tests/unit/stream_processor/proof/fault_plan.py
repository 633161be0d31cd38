"""What goes wrong in one invocation, and where: before, during or after one of its calls."""

import itertools
from collections import Counter
from dataclasses import dataclass
from typing import Final, Literal

from aws_emulator.simulator import PointFault

#: crash: the process dies. error: the request is lost on its way ("before") or its answer is
#: ("after": it was carried out). resent: the answer is lost, and the SDK sends the request again.
#: stop: the invocation stands still; others run, or it is timed out, and it goes on later.
type FaultKind = Literal["crash", "error", "resent", "stop"]

#: The calls of the handlers, and the two ends of an invocation.
PLACES: Final = (
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
class Plan:
    """One fault: at the `nth` time (from 0) that a call comes to the place and the moment."""

    kind: FaultKind | None = None
    place: str = ""
    moment: str = ""
    nth: int = 0

    def reached(self, label: str) -> bool:
        """Whether the fault falls here. It falls once."""
        if self.kind is None:
            return False
        if not (label.startswith(self.place) and label.endswith(self.moment)):
            return False
        self.nth -= 1
        return self.nth < 0

    def fault(self, label: str, counted: Counter[str]) -> PointFault | None:
        """What happens at a fault point, other than standing still."""
        kind = self.kind
        if kind is None or kind == "stop" or not self.reached(label):
            return None
        self.kind = None
        counted[NAMES[kind, self.moment]] += 1
        return kind


#: Each fault as the report calls it.
NAMES: Final[dict[tuple[FaultKind, str], str]] = {
    ("crash", "before"): "process died before a call",
    ("crash", "after"): "process died after a call",
    ("crash", ""): "process died between calls",
    ("error", "before"): "request lost",
    ("error", "after"): "answer lost",
    ("resent", "after"): "answer lost, request sent again",
    ("stop", "before"): "stood still before a call",
    ("stop", "after"): "stood still after a call",
}

_AT_CALLS = [
    (kind, place, moment) for place, (kind, moment) in itertools.product(PLACES, NAMES) if moment
]
_ENDS: list[tuple[FaultKind, str, str]] = [("crash", "start", ""), ("crash", "end", "")]
#: Writes are where it hurts, so every second fault is at one. The first is no fault at all.
KINDS: Final[list[tuple[FaultKind | None, str, str]]] = [
    (None, "", ""),
    *[(None, "", "")] * (len(_AT_CALLS) // 2),
    *[kind for kind in _AT_CALLS if "put" in kind[1]],
    *_AT_CALLS,
    *_ENDS,
]
