"""Decide whether a metric is outside the band of its own history. Pure.

CloudWatch trains a model on up to two weeks of a metric, with its hours and weekdays ("Using
CloudWatch anomaly detection"). Here the band is the mean of the earlier periods plus and minus a
number of standard deviations, so an hour or a weekday has no band of its own.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

_EXPRESSION: Final = re.compile(r"ANOMALY_DETECTION_BAND\((\w+)(?:,\s*(\d+(?:\.\d+)?))?\)")
#: The default of the function's second argument.
_DEFAULT_DEVIATIONS: Final = 2.0
#: Fewer earlier periods make no band.
MIN_HISTORY_PERIODS: Final = 3


@dataclass(frozen=True)
class Band:
    """The lower and the upper limit of the expected values."""

    lower: float
    upper: float

    def is_breached(self, value: float, operator: str) -> bool:
        """Return whether a value is outside the side of the band that an alarm compares.

        Raises:
            ValueError: The operator doesn't compare with a band.
        """
        sides = {
            "LessThanLowerOrGreaterThanUpperThreshold": (True, True),
            "LessThanLowerThreshold": (True, False),
            "GreaterThanUpperThreshold": (False, True),
        }
        if operator not in sides:
            raise ValueError(f"{operator} doesn't compare a metric with an anomaly band.")
        below, above = sides[operator]
        return (below and value < self.lower) or (above and value > self.upper)


def parse(expression: str) -> tuple[str, float]:
    """Return the metric's ID and the number of standard deviations of an expression.

    Raises:
        ValueError: The expression isn't an anomaly detection band.
    """
    match = _EXPRESSION.fullmatch(expression.strip())
    if not match:
        raise ValueError(f"{expression!r} isn't supported: only ANOMALY_DETECTION_BAND is.")
    return match[1], float(match[2] or _DEFAULT_DEVIATIONS)


def band(history: Sequence[float], deviations: float) -> Band | None:
    """Return the band of earlier values, or None for too few."""
    if len(history) < MIN_HISTORY_PERIODS:
        return None
    mean = math.fsum(history) / len(history)
    variance = math.fsum((it - mean) ** 2 for it in history) / len(history)
    margin = deviations * math.sqrt(variance)
    return Band(mean - margin, mean + margin)


def split(
    values: Mapping[int, float], evaluation_periods: int
) -> tuple[list[float], dict[int, float]]:
    """Divide values by period into the history and the periods that an alarm evaluates.

    Args:
        values: Age of a period -> its value; 0 is the current one.
        evaluation_periods: The number of newest periods that an alarm evaluates.
    """
    history = [value for age, value in values.items() if age >= evaluation_periods]
    return history, {age: it for age, it in values.items() if age < evaluation_periods}
