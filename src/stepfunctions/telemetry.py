"""Metrics and traces: the one module of this room that knows Powertools, and so the X-Ray SDK.

Lambda, Step Functions and API Gateway trace themselves (the template says so); what they cannot
know is which letter took how long. The X-Ray SDK ends in February 2027; what replaces it is a
change of this file. Both are made at their first use: the tracer alone costs half a second.
"""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aws_lambda_powertools import Metrics, Tracer


@cache
def _metrics() -> "Metrics":
    from aws_lambda_powertools import Metrics

    return Metrics(namespace=os.environ.get("POWERTOOLS_METRICS_NAMESPACE", "meridian"))


@cache
def _tracer() -> "Tracer":
    from aws_lambda_powertools import Tracer

    # Patching every library that it knows would import half of them.
    return Tracer(auto_patch=False)


@contextmanager
def part(name: str, **ids: str) -> Iterator[None]:
    """A named part of an invocation in its trace, found by ids: never by what a person wrote."""
    with _tracer().provider.in_subsegment(f"## {name}") as subsegment:
        # None where there is no trace to be a part of, whatever its type says.
        if subsegment is not None:
            for key, value in ids.items():
                subsegment.put_annotation(key=key, value=value)
        yield


def count(outcomes: Counter[str]) -> None:
    """Add to the metrics of the stage's namespace (EMF: printed, no call is made)."""
    for name, number in outcomes.items():
        _metrics().add_metric(name=name, unit="Count", value=number)
    if outcomes:
        _metrics().flush_metrics()
