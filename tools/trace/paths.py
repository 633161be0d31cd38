"""Build the tree of a request: a CloudFront request, or an upload to the rosters bucket."""

from collections.abc import Sequence
from typing import Any, Final

from aws_emulator.log_lines import LogLine
from aws_emulator.trace import Invocation, Span
from tools.trace import streams, workflow
from tools.trace.evidence import Evidence
from tools.trace.spans import invocation_span

_EDGE_AUTH: Final = "EdgeAuthFunction"
_EDGE_INGEST: Final = "EdgeIngestFunction"


def request_tree(evidence: Evidence, line: LogLine) -> Span:
    """Return the tree of a CloudFront request, from its line in the access log."""
    fields = line.fields
    duration_ms = float(fields.get("ms") or 0)
    name = f"CloudFront {fields['method']} {fields['path']} {fields['status']} {fields['x_cache']}"
    root = Span(f"{name}  {line.request_id}", line.time_ms - duration_ms, duration_ms)
    if fields.get("error"):
        root.add(Span(f"error {fields['error']}"))
    functions = fields.get("functions") or {}
    if "viewer-request" in functions:
        root.add(_edge_function(evidence, line, "viewer-request", _EDGE_AUTH))
    if "origin-request" in functions:
        ingest = root.add(_edge_function(evidence, line, "origin-request", _EDGE_INGEST))
        ingest.add(*streams.event_spans(evidence, line.request_id))
    elif fields.get("origin_request_id"):
        root.add(_origin(evidence, line))
    return root


def _edge_function(evidence: Evidence, line: LogLine, event_type: str, function: str) -> Span:
    outcome = line.fields["functions"][event_type]
    name = f"{function} ({event_type}) {outcome}"
    invocation = evidence.invocation(function, "request_id", line.request_id)
    if invocation is None:
        # Without a log line of the function, only CloudFront's measurement is known.
        duration_ms = (line.fields.get("function_ms") or {}).get(event_type)
        return Span(f"{name}  (no log line names this request)", None, duration_ms)
    return invocation_span(invocation, name, line.request_id)


def _origin(evidence: Evidence, line: LogLine) -> Span:
    api_id = str(line.fields["origin_request_id"])
    entry = api_entry(evidence, api_id)
    if entry is None:
        return Span(f"origin {line.fields['behavior']}  request {api_id}")
    fields = entry.fields
    latency_ms = _number(fields.get("latency"))
    span = Span(
        f"API Gateway {fields['method']} {fields['operation']} {fields['status']}  {api_id}",
        entry.time_ms - latency_ms,
        latency_ms,
    )
    if fields.get("errorType", "-") != "-":
        span.add(Span(f"gateway response {fields['errorType']}"))
    span.add(*_integration(evidence, line.request_id, entry))
    return span


def _integration(evidence: Evidence, request_id: str, entry: LogLine) -> Sequence[Span]:
    fields = entry.fields
    if fields.get("integrationStatus", "-") == "-":
        return []
    latency_ms = _number(fields.get("integrationLatency"))
    start_ms = entry.time_ms - latency_ms
    status, operation = fields["integrationStatus"], str(fields["operation"])
    if operation in ("/accounts", "/accounts/proofs"):
        machine = "admit" if operation == "/accounts" else "prove"
        express = Span(f"Step Functions {machine} {status}  {request_id}", start_ms, latency_ms)
        if operation == "/accounts":
            express.add(*workflow.proof_spans(evidence, request_id))
        else:
            express.add(*workflow.account_spans(evidence, request_id, start_ms))
        return [express]
    service = "SQS SendMessage" if operation == "/feedback" else "DynamoDB"
    if operation.startswith("/appointments") and fields.get("method") in ("POST", "PUT"):
        service = "Lambda BookingsFunction"
    span = Span(f"{service} {status}", start_ms, latency_ms)
    if operation.startswith("/appointments"):
        span.add(*streams.change_spans(evidence, request_id))
    return [span]


def api_entry(evidence: Evidence, request_id: str) -> LogLine | None:
    """Return the API's access log entry with API Gateway's request ID."""
    entries = (it for it in evidence.lines if "integrationLatency" in it.fields)
    return next((it for it in entries if it.request_id == request_id), None)


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return 0.0


def log_only_tree(invocation: Invocation) -> Span:
    """Return the tree of an invocation that no request caused, such as a scheduled one."""
    return invocation_span(invocation, invocation.source)
