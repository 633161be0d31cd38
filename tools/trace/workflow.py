"""The part of a path in the workflows of an account: executions, functions and the email."""

import math
from collections.abc import Sequence
from typing import Any, Final

from aws_emulator.trace import Invocation, Span, summarize
from tools.trace import streams
from tools.trace.evidence import Evidence, Execution, epoch_ms
from tools.trace.spans import invocation_span

#: The function that a Task state invokes.
_FUNCTIONS: Final = {
    "Validate": "ValidateFunction",
    "CreateIdentity": "IdentityFunction",
    "DeleteIdentity": "IdentityFunction",
    "Inspect": "ImportFunction",
    "Report": "ImportFunction",
}
#: The functions that the Express workflows `prove` and `create` invoke.
_CREATION: Final = ("ValidateFunction", "IdentityFunction")
#: Rows of a roster that a tree shows in full.
MAX_ROWS: Final = 10
#: The clocks of a function's log and of the state machine's history differ by some milliseconds.
_TOLERANCE_MS: Final = 100
#: Between a request and the start of its workflow: API Gateway waits for at most 29 s.
_START_MS: Final = 60_000


def proof_spans(evidence: Evidence, correlation_id: str) -> Sequence[Span]:
    """Return the spans of a form's validation and of the email that asks for the proof."""
    validations = evidence.invocations_with("ValidateFunction", "correlation_id", correlation_id)
    spans = [invocation_span(it) for it in validations]
    return [*spans, *email_spans(evidence, correlation_id)]


def account_spans(evidence: Evidence, correlation_id: str, around_ms: float) -> Sequence[Span]:
    """Return the spans of an account's creation, and of the account workflow that took it over."""
    near = evidence.accounts_started(around_ms - _START_MS)
    started = [it for it in near if it.correlation_id == correlation_id]
    spans = _creation_spans(evidence, correlation_id, started)
    spans += [execution_span(evidence, it) for it in started]
    emails = email_spans(evidence, correlation_id)
    if spans and spans[-1].name.startswith("Step Functions"):
        spans[-1].add(*emails)
        return spans
    return [*spans, *emails]


def _creation_spans(
    evidence: Evidence, correlation_id: str, taken_over: Sequence[Execution]
) -> list[Span]:
    """Return the span of `create` of a row, or those of the functions that `prove` invoked.

    None if a row was never admitted. Express executions have no history: their functions' logs
    name the request.
    """
    end_ms = min((it.start_ms for it in taken_over), default=math.inf)
    invocations = sorted(
        (
            it
            for function in _CREATION
            for it in evidence.invocations_with(function, "correlation_id", correlation_id)
            if it.start_ms < end_ms
        ),
        key=lambda it: it.start_ms,
    )
    if not invocations:
        return []
    spans = [invocation_span(it) for it in invocations]
    if not evidence.invocations_with("ValidateFunction", "correlation_id", correlation_id):
        # `prove` has created the account of a form itself.
        return spans
    first_ms = invocations[0].start_ms
    duration_ms = max(it.end_ms for it in invocations) - first_ms
    span = Span(f"Step Functions create  {correlation_id}", first_ms, duration_ms)
    span.add(*spans)
    return [span]


def upload_tree(evidence: Evidence, execution: Execution) -> Span:
    """Return the tree of an upload to the rosters bucket, from the import's execution."""
    upload = execution.correlation_id
    root = Span(f"S3 Object Created (EventBridge)  {upload}", execution.start_ms)
    imported = root.add(execution_span(evidence, execution))
    rows = _rows(evidence, upload, execution.start_ms)
    spans = [_row_span(evidence, row, start_ms) for row, start_ms in rows]
    row_states = [it for it in imported.children if it.name.startswith("state Rows")]
    (row_states[0] if row_states else imported).add(*summarize(spans, MAX_ROWS))
    return root


def _rows(evidence: Evidence, upload: str, since_ms: float) -> list[tuple[str, float]]:
    """Return the IDs of an upload's rows, and when each was validated or taken over first."""
    starts = [
        (row, invocation.start_ms)
        for invocation in evidence.invocations
        if invocation.source.partition("@")[0] == "ValidateFunction"
        for row in invocation.values("correlation_id")
    ]
    starts += [(it.correlation_id, it.start_ms) for it in evidence.accounts_started(since_ms)]
    rows: dict[str, float] = {}
    for row, start_ms in sorted(starts, key=lambda it: it[1]):
        if row.rpartition(".")[0] == upload:
            rows.setdefault(row, start_ms)
    return list(rows.items())


def _row_span(evidence: Evidence, row: str, start_ms: float) -> Span:
    span = Span(f"Step Functions admit  {row}", start_ms)
    span.add(*account_spans(evidence, row, start_ms))
    return span


def execution_span(evidence: Evidence, execution: Execution) -> Span:
    """Return the span of an execution, with its states and the functions they invoked."""
    duration_ms = None if execution.stop_ms is None else execution.stop_ms - execution.start_ms
    title = f"Step Functions {execution.machine} {execution.status}  {execution.name}"
    span = Span(title, execution.start_ms, duration_ms)
    pages = evidence.states.get_paginator("get_execution_history").paginate(
        executionArn=execution.arn
    )
    for state in _states([event for page in pages for event in page["events"]]):
        function = _FUNCTIONS.get(state.name.split()[1])
        for invocation in _invoked(evidence, execution, state, function):
            state.add(invocation_span(invocation))
        # A Choice or Pass state takes no time worth a line.
        if state.children or not state.name.endswith(("Choice", "Pass")):
            span.add(state)
    return span


def _states(history: Sequence[Any]) -> list[Span]:
    states: list[Span] = []
    for event in history:
        at_ms, kind = epoch_ms(event["timestamp"]), str(event["type"])
        if kind.endswith("StateEntered"):
            name = event["stateEnteredEventDetails"]["name"]
            states.append(Span(f"state {name} {kind.removesuffix('StateEntered')}", at_ms))
        elif kind.endswith("StateExited") and states:
            states[-1].duration_ms = at_ms - (states[-1].start_ms or at_ms)
        elif kind in ("TaskFailed", "LambdaFunctionFailed", "TaskTimedOut") and states:
            detail_fields = [it for key, it in event.items() if key.endswith("Details")]
            details: dict[str, Any] = detail_fields[0] if detail_fields else {}
            states[-1].add(Span(f"failed: {details.get('error', kind)}", at_ms))
    return states


def _invoked(
    evidence: Evidence, execution: Execution, state: Span, function: str | None
) -> list[Invocation]:
    if function is None or state.start_ms is None:
        return []
    end_ms = None if state.duration_ms is None else state.start_ms + state.duration_ms
    return [
        it
        for it in evidence.invocations_with(function, "correlation_id", execution.correlation_id)
        if it.end_ms >= state.start_ms
        and (end_ms is None or it.end_ms <= end_ms + _TOLERANCE_MS)
        and it.start_ms >= state.start_ms - _TOLERANCE_MS
    ]


def email_spans(evidence: Evidence, correlation_id: str) -> Sequence[Span]:
    """Return the spans from the outbox item to the email."""
    spans = []
    for relay in evidence.invocations_with("RelayFunction", "correlation_id", correlation_id):
        published = invocation_span(relay, correlation_id=correlation_id)
        event = Span("EventBridge, SQS notifications.fifo", relay.end_ms)
        for notify in evidence.invocations_with("NotifyFunction", "correlation_id", correlation_id):
            event.add(invocation_span(notify, correlation_id=correlation_id))
        published.add(event)
        batch = streams.relay_batch(evidence, relay.request_id)
        if batch is not None:
            batch.add(published)
            published = batch
        spans.append(published)
    return spans
