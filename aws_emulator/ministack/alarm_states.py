"""The state of an alarm by the values of its periods. Pure.

Amazon CloudWatch User Guide, "Alarm evaluation" and "Configuring how CloudWatch alarms treat
missing data". The documentation doesn't say how many further periods CloudWatch reads if some have
no data; here it reads none.
"""

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

type State = Literal["OK", "ALARM", "INSUFFICIENT_DATA"]

_OPERATORS: Final[dict[str, Callable[[float, float], bool]]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


@dataclass(frozen=True, slots=True)
class Rule:
    """When an alarm on one metric rings: `needed` of the newest `periods` values breach."""

    operator: str
    threshold: float
    periods: int
    needed: int
    missing: str = "missing"

    @classmethod
    def of(cls, alarm: dict[str, Any]) -> "Rule":
        """Return the rule of an alarm's record."""
        periods = int(alarm.get("EvaluationPeriods") or 1)
        return cls(
            str(alarm["ComparisonOperator"]),
            float(alarm["Threshold"]),
            periods,
            int(alarm.get("DatapointsToAlarm") or periods),
            str(alarm.get("TreatMissingData") or "missing"),
        )

    def state(self, values: Sequence[float | None], current: State) -> State:
        """Return the state by the values of the newest periods; None is a period without data."""
        existing = [it for it in values if it is not None]
        if not existing:
            if self.missing == "missing":
                return "INSUFFICIENT_DATA"
            if self.missing == "ignore":
                return current
        compare = _OPERATORS[self.operator]
        breaching = sum(compare(it, self.threshold) for it in existing)
        if self.missing == "breaching":
            breaching += len(values) - len(existing)
        return "ALARM" if breaching >= self.needed else "OK"


def periods(
    points: Sequence[dict[str, Any]], period_s: int, number: int, now: float
) -> list[list[dict[str, Any]]]:
    """Return the points of the newest `number` periods, the one that ends at `now` first."""
    groups: list[list[dict[str, Any]]] = [[] for _ in range(number)]
    for point in reversed(points):
        age = int(max(0.0, now - point["Timestamp"]) // period_s)
        if age < number:
            groups[age].append(point)
    return groups
