"""The metrics in a log line: Embedded Metric Format, and metric filters. Pure.

Amazon CloudWatch User Guide, "Specification: Embedded metric format"; Amazon CloudWatch Logs User
Guide, "Filter pattern syntax for metric filters".
"""

import json
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeIs

#: A term of a filter pattern for JSON: $.name, an operator and a text or a number.
_TERM: Final = re.compile(r'\$\.(\w+)\s*(>=|<=|!=|=|>|<)\s*(?:"([^"]*)"|(-?\d+(?:\.\d+)?))')
_OPERATORS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}


@dataclass(frozen=True, slots=True)
class Datum:
    """Values of a metric. `time_s` is in Unix seconds."""

    namespace: str
    name: str
    values: tuple[float, ...]
    unit: str = "None"
    dimensions: Mapping[str, str] = field(default_factory=dict)
    time_s: float = 0.0


def embedded(message: str) -> list[Datum]:
    """Return the metrics of a log line in Embedded Metric Format; none for another line."""
    if '"CloudWatchMetrics"' not in message:
        return []
    document = _document(message)
    metadata = document.get("_aws")
    if not isinstance(metadata, dict):
        return []
    time_s = float(metadata.get("Timestamp", 0)) / 1000
    return [
        datum
        for directive in metadata.get("CloudWatchMetrics", ())
        for datum in _of_directive(document, directive, time_s)
    ]


def _of_directive(
    document: dict[str, Any], directive: dict[str, Any], time_s: float
) -> Iterator[Datum]:
    for names in directive.get("Dimensions") or [[]]:
        dimensions = {name: str(document[name]) for name in names if name in document}
        if len(dimensions) != len(names):
            continue  # "If the target member doesn't exist", the directive isn't a valid one
        for metric in directive.get("Metrics", ()):
            member = document.get(metric["Name"])
            values = member if isinstance(member, list) else [member]
            numbers = tuple(float(it) for it in values if is_number(it))
            if numbers:
                unit = metric.get("Unit", "None")
                yield Datum(
                    directive["Namespace"], metric["Name"], numbers, unit, dimensions, time_s
                )


def filtered(pattern: str, transformations: list[dict[str, Any]], message: str) -> list[Datum]:
    """Return the metrics that a metric filter makes of a log line.

    Raises:
        ValueError: The pattern isn't one of terms on the fields of a JSON line, joined by &&.
    """
    terms = _terms(pattern)
    document = _document(message)
    if not document or not all(_holds(document, *term) for term in terms):
        return []
    data = []
    for transformation in transformations:
        value = str(transformation["metricValue"])
        number: Any = document.get(value[2:]) if value.startswith("$.") else float(value)
        if is_number(number):
            namespace, name = transformation["metricNamespace"], transformation["metricName"]
            data.append(Datum(namespace, name, (float(number),)))
    return data


def _terms(pattern: str) -> list[tuple[str, str, str | float]]:
    inner = pattern.strip()
    if not (inner.startswith("{") and inner.endswith("}")):
        raise ValueError(f"The filter pattern {pattern!r} isn't one for JSON.")
    terms: list[tuple[str, str, str | float]] = []
    for part in inner[1:-1].split("&&"):
        match = _TERM.fullmatch(part.strip())
        if match is None:
            raise ValueError(f"The term {part.strip()!r} of a filter pattern isn't emulated.")
        name, sign, text, number = match.groups()
        terms.append((name, sign, text if number is None else float(number)))
    return terms


def _holds(document: dict[str, Any], name: str, sign: str, wanted: str | float) -> bool:
    member = document.get(name)
    if isinstance(wanted, float):
        return is_number(member) and _OPERATORS[sign](float(member), wanted)
    return isinstance(member, str) and _OPERATORS[sign](member, wanted)


def _document(message: str) -> dict[str, Any]:
    if not message.startswith("{"):
        return {}
    try:
        document = json.loads(message)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def is_number(value: object) -> TypeIs[int | float]:
    """Return whether a value of a JSON document is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)
