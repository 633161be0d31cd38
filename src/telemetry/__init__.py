"""Logs, metrics and traces: the adapter for AWS Lambda Powertools and its X-Ray SDK.

The functions of `stream_processor` and the notifier use it. The X-Ray SDK is in maintenance mode;
replacing it changes this file only (docs/decisions/0029-what-follows-the-x-ray-sdk.md). Each
utility is created at its first use, not at import: the tracer imports the SDK.
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

    # An operator's command runs without the function's environment variables.
    return Metrics(namespace=os.environ.get("POWERTOOLS_METRICS_NAMESPACE", "meridian"))


@cache
def _tracer() -> "Tracer":
    from aws_lambda_powertools import Tracer

    # Automatic patching imports every library that the tracer can patch.
    return Tracer(auto_patch=False)


def instrumented(handler: Handler) -> Handler:
    """Wrap a Lambda handler: add the request id to its logs, flush metrics, trace the invocation.

    Events and responses are neither logged nor traced, because they hold personal data.
    """

    @wraps(handler)
    def wrapper(event: Mapping[str, Any], context: Any) -> Any:
        traced = _tracer().capture_lambda_handler(handler, capture_response=False)
        measured = _metrics().log_metrics(traced, capture_cold_start_metric=True)
        return _logger().inject_lambda_context(measured, log_event=False)(event, context)

    return wrapper


@contextmanager
def subsegment(name: str, **annotations: str) -> Iterator[None]:
    """Record a subsegment of the current trace, with annotations to search for.

    Annotations hold identifiers, never text that a person wrote.
    """
    with _tracer().provider.in_subsegment(f"## {name}") as segment:
        # None outside a sampled trace, although the SDK's type does not say so.
        if segment is not None:
            for key, value in annotations.items():
                segment.put_annotation(key=key, value=value)
        yield


def info(message: str, **fields: Any) -> None:
    """Log at level INFO. Fields hold identifiers and counts, never the content of an event."""
    _logger().info(message, extra=fields)


def warning(message: str, **fields: Any) -> None:
    """Log at level WARNING."""
    _logger().warning(message, extra=fields)


def error(message: str, **fields: Any) -> None:
    """Log at level ERROR; an alarm watches these messages."""
    _logger().error(message, extra=fields)


def count(name: str, value: float) -> None:
    """Add to a metric with unit Count (Embedded Metric Format: written to the log)."""
    _metrics().add_metric(name=name, unit="Count", value=value)


def seconds(name: str, value: float) -> None:
    """Add to a metric with unit Seconds."""
    _metrics().add_metric(name=name, unit="Seconds", value=value)


def flush_metrics() -> None:
    """Write the collected metrics, for handlers that `instrumented` does not wrap."""
    _metrics().flush_metrics()
