"""Figures of a game day from its answers: recovery times, latencies, the error budget. Pure."""

import math
from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tools.gameday.acts import CONTINENTS, OPERATIONS, Act
from tools.gameday.answers import Answer, Ledger

#: A month of 30 days at 99.9 %: 43.2 minutes.
BUDGET_S: Final = 30 * 86_400 * 0.001
PHASES: Final = ("before", "during", "after")


@dataclass(frozen=True, slots=True)
class Scene:
    """An act on the day's clock, in seconds: its beginning, the loss, the return, the end.

    `moved` is when the bookings had another home, None if they stayed, and `behind` what each store
    of the new home lacked then.
    """

    act: Act
    began: float
    lost: float
    returned: float
    ended: float
    moved: float | None = None
    behind: "tuple[Behind, ...]" = ()

    def phase(self, moment: float) -> str | None:
        """Return the phase of a moment, None outside of the scene."""
        if not self.began <= moment <= self.ended:
            return None
        if moment < self.lost:
            return "before"
        return "during" if moment < self.returned else "after"


@dataclass(frozen=True)
class Part:
    """A part of a day: its acts, the answers of their visitors, and the visitors' operations."""

    scenes: Sequence[Scene]
    ledger: Ledger
    operations: Sequence[str] = OPERATIONS
    #: What the tables of the part are about, as in "the catalogue"; '' for the whole school.
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Behind:
    """The acknowledged writes of a store that a new home lacks: their number, of how many.

    `seconds` is how long before the loss the first of them was acknowledged.
    """

    store: str
    writes: int
    acknowledged: int
    seconds: float


def behind(
    lost: float, acknowledged: Mapping[Any, float], present: Container[Any], store: str
) -> Behind:
    """Compare the writes that were acknowledged before a loss with those that are present.

    Args:
        lost: When the home was lost, in seconds.
        acknowledged: The key of each write, and when it was acknowledged, in seconds.
        present: The keys that the new home has.
        store: The name of the store.
    """
    before = {key: at for key, at in acknowledged.items() if at < lost}
    missing = [at for key, at in before.items() if key not in present]
    return Behind(store, len(missing), len(before), lost - min(missing, default=lost))


def of_scene(scene: Scene, answers: Iterable[Answer]) -> list[Answer]:
    """Return the answers to requests that began in a scene."""
    return [it for it in answers if scene.phase(it.began)]


def recovery_s(
    scene: Scene, answers: Iterable[Answer], operation: str, continent: str
) -> float | None:
    """Return the seconds from the loss until an operation served again, 0 if it never refused.

    None: it refused until the end of the scene.
    """
    own = sorted(
        (
            it
            for it in of_scene(scene, answers)
            if (it.operation, it.continent) == (operation, continent) and it.ended >= scene.lost
        ),
        key=lambda it: it.ended,
    )
    refused = [number for number, it in enumerate(own) if not it.is_served]
    if not refused:
        return 0.0
    after = own[refused[-1] + 1 :]
    return after[0].ended - scene.lost if after else None


def percentile_ms(answers: Sequence[Answer], share: float) -> float | None:
    """Return a percentile (nearest rank) of the waiting times in milliseconds, None without any."""
    if not answers:
        return None
    seconds = sorted(it.seconds for it in answers)
    return seconds[max(0, math.ceil(share * len(seconds)) - 1)] * 1000


def out_s(
    scenes: Iterable[Scene], answers: Sequence[Answer], operation: str, continent: str
) -> float:
    """Return for how many seconds of the day an operation was closed to a continent."""
    total = 0.0
    for scene in scenes:
        recovery = recovery_s(scene, answers, operation, continent)
        total += scene.ended - scene.lost if recovery is None else recovery
    return total


def worst_out_s(part: Part) -> tuple[str, str, float]:
    """Return the operation and continent that were closed longest, and the seconds."""
    return max(
        (
            (operation, it, out_s(part.scenes, part.ledger.answers, operation, it))
            for operation in part.operations
            for it in CONTINENTS
        ),
        key=lambda longest: longest[2],
    )


def by_operation(answers: Iterable[Answer]) -> Mapping[tuple[str, str], list[Answer]]:
    """Return the answers by operation and continent; a missing key is an empty list."""
    groups: defaultdict[tuple[str, str], list[Answer]] = defaultdict(list)
    for answer in answers:
        groups[answer.operation, answer.continent].append(answer)
    return groups


def marks(
    answers: Sequence[Answer], operation: str, continent: str, begin: float, end: float
) -> str:
    """Return the mark of an operation in a piece of time, for the time line.

    `.` served, `x` refused, `/` both, `~` a request waits for its answer, ` ` no request.
    """
    own = [it for it in answers if (it.operation, it.continent) == (operation, continent)]
    answered = [it for it in own if begin <= it.ended < end]
    if not answered:
        return "~" if any(it.began < end and it.ended >= end for it in own) else " "
    served = sum(it.is_served for it in answered)
    if served == len(answered):
        return "."
    return "/" if served else "x"
