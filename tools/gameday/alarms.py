"""Evaluate the deployed alarms on the metrics of a day, as CloudWatch does. Pure.

The emulator's CloudWatch knows only data of the real clock. A day's clock is faster: `CLOCK_SPEED`
seconds of AWS pass in one. Source of the rules: Amazon CloudWatch User Guide, "Alarm evaluation".
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tools.gameday.acts import Act

type Alarm = Mapping[str, Any]
type Dimensions = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric: another set of dimensions is another metric."""

    namespace: str
    name: str
    dimensions: Dimensions


@dataclass(frozen=True, slots=True)
class Datum:
    """A value of a metric. `moment_s` is in seconds of the day's fast clock."""

    metric: Metric
    moment_s: float
    value: float


_STATISTICS: Final[dict[str, Callable[[Sequence[float]], float]]] = {
    "Sum": sum,
    "Minimum": min,
    "Maximum": max,
    "Average": lambda values: sum(values) / len(values),
    "SampleCount": lambda values: float(len(values)),
}
_BREACHES: Final[dict[str, Callable[[float, float], bool]]] = {
    "GreaterThanThreshold": lambda value, limit: value > limit,
    "GreaterThanOrEqualToThreshold": lambda value, limit: value >= limit,
    "LessThanThreshold": lambda value, limit: value < limit,
    "LessThanOrEqualToThreshold": lambda value, limit: value <= limit,
}


def metric_of(alarm: Alarm) -> Metric | None:
    """Return the metric of an alarm; None for expressions and percentiles."""
    if "MetricName" not in alarm or alarm.get("Statistic") not in _STATISTICS:
        return None
    dimensions = frozenset(
        (str(it["Name"]), str(it["Value"])) for it in alarm.get("Dimensions") or ()
    )
    return Metric(str(alarm["Namespace"]), str(alarm["MetricName"]), dimensions)


def rings(alarm: Alarm, data: Iterable[Datum]) -> bool:
    """Return whether an alarm reaches the state ALARM on a metric's data."""
    metric, period = metric_of(alarm), float(alarm["Period"])
    values: dict[int, list[float]] = defaultdict(list)
    for datum in data:
        if datum.metric == metric:
            values[math.floor(datum.moment_s / period)].append(datum.value)
    if not values:
        return False
    statistic = _STATISTICS[str(alarm["Statistic"])]
    breaches = _BREACHES[str(alarm["ComparisonOperator"])]
    missing = alarm.get("TreatMissingData") == "breaching"
    breaching = [
        breaches(statistic(values[it]), float(alarm["Threshold"])) if it in values else missing
        for it in range(min(values), max(values) + 1)
    ]
    periods = int(alarm["EvaluationPeriods"])
    needed = int(alarm.get("DatapointsToAlarm") or periods)
    return any(
        sum(breaching[begin : begin + periods]) >= needed
        for begin in range(max(1, len(breaching) - periods + 1))
    )


@dataclass(frozen=True)
class Rang:
    """The alarms of an act: those that rang, must ring, and may ring, by their short names."""

    act: str
    rang: frozenset[str]
    must: frozenset[str]
    may: frozenset[str]

    @property
    def silent(self) -> frozenset[str]:
        """The alarms that should have rung."""
        return self.must - self.rang

    @property
    def false(self) -> frozenset[str]:
        """The alarms that nothing of the act explains."""
        return self.rang - self.must - self.may


#: The alarms of Route 53's checks and of the replication, with the Region that they are about.
_NOT_SERVING: Final = "RegionNotServing"
_DELAYED: Final = "AppointmentsReplicationDelayed"
_EDGE_ERRORS: Final = "EdgeServerErrors"


def expected(act: Act, receivers: Iterable[str]) -> tuple[frozenset[str], frozenset[str]]:
    """Return the alarms that must and may ring. `receivers` are Regions with replicas."""
    must = {f"{_NOT_SERVING} {it}" for it in act.lost_api}
    if act.is_replication_held:
        must |= {f"{_DELAYED} {it}" for it in receivers}
    # Its period of 5 minutes contains a short loss or not, by the clock.
    may = {_EDGE_ERRORS} if act.excused else set()
    return frozenset(must), frozenset(may)


def evaluate(
    act: Act, receivers: Iterable[str], alarms: Mapping[str, Alarm], data: Sequence[Datum]
) -> Rang:
    """Return what rang in an act. `alarms`: short name -> definition; `data`: the act's."""
    must, may = expected(act, receivers)
    return Rang(act.name, frozenset(it for it in alarms if rings(alarms[it], data)), must, may)
