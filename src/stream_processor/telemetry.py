"""Logs, metrics and traces: the one module that knows Powertools, and so the X-Ray SDK.

The X-Ray SDK ends in February 2027; what replaces it is a change of this file. It is made at the
first invocation, not at import: the tracer alone costs half a second of CPU.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, wraps
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger, Metrics, Tracer

type Handler = Callable[[Mapping[str, Any], Any], Any]


@cache
def _logger() -> "Logger":
    from aws_lambda_powertools import Logger

    return Logger()


@cache
def _metrics() -> "Metrics":
    from aws_lambda_powertools import Metrics

    # An operator's command has no namespace of its own; it must not fail for want of one.
    return Metrics(namespace=os.environ.get("POWERTOOLS_METRICS_NAMESPACE", "meridian"))


@cache
def _tracer() -> "Tracer":
    from aws_lambda_powertools import Tracer

    # Patching every library that it knows would import half of them.
    return Tracer(auto_patch=False)


def instrumented(handler: Handler) -> Handler:
    """A handler whose logs carry its request id, whose metrics are flushed, whose run is traced.

    Neither its event nor its answer is logged or traced: they hold what people did.
    """

    @wraps(handler)
    def wrapper(event: Mapping[str, Any], context: Any) -> Any:
        traced = _tracer().capture_lambda_handler(handler, capture_response=False)
        measured = _metrics().log_metrics(traced, capture_cold_start_metric=True)
        return _logger().inject_lambda_context(measured, log_event=False)(event, context)

    return wrapper


@contextmanager
def part(name: str) -> Iterator[None]:
    """A named part of an invocation, in its trace."""
    with _tracer().provider.in_subsegment(f"## {name}"):
        yield


def info(message: str, **fields: Any) -> None:
    """Log that something was done. Fields hold places and counts, never what an event says."""
    _logger().info(message, extra=fields)


def warning(message: str, **fields: Any) -> None:
    """Log what somebody should look at some day."""
    _logger().warning(message, extra=fields)


def error(message: str, **fields: Any) -> None:
    """Log what an alarm is for."""
    _logger().error(message, extra=fields)


def count(name: str, value: float) -> None:
    """Add to a metric of the stage's namespace (EMF: printed, no call is made)."""
    _metrics().add_metric(name=name, unit="Count", value=value)


def seconds(name: str, value: float) -> None:
    """Add a duration to a metric of the stage's namespace."""
    _metrics().add_metric(name=name, unit="Seconds", value=value)
