"""Spans of function invocations, with their log lines."""

from typing import Final

from aws_emulator.log_lines import LogLine
from aws_emulator.trace import Invocation, Span

_MAX_LINES: Final = 8
_MAX_LINE_CHARS: Final = 160


def invocation_span(
    invocation: Invocation, name: str | None = None, correlation_id: str = ""
) -> Span:
    """Return the span of an invocation, with its log lines as children.

    With `correlation_id`, lines that name another request are left out: a batch has many.
    """
    title = f"{name or invocation.source}  invocation {invocation.request_id}"
    span = Span(title, invocation.start_ms, invocation.duration_ms)
    lines = [it for it in invocation.lines if not correlation_id or _concerns(it, correlation_id)]
    for line in lines[:_MAX_LINES]:
        text = " ".join(line.message.split())
        if len(text) > _MAX_LINE_CHARS:
            text = f"{text[:_MAX_LINE_CHARS]}…"
        span.add(Span(f"{line.level.lower()}: {text}"))
    if len(lines) > _MAX_LINES:
        span.add(Span(f"and {len(lines) - _MAX_LINES} more lines (make logs TRACE=…)"))
    return span


def _concerns(line: LogLine, correlation_id: str) -> bool:
    named = line.fields.get("correlation_id") or line.fields.get("request_id")
    return named is None or str(named) == correlation_id
