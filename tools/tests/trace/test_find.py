"""Which requests an ID belongs to, and the trees of requests that stopped on their way."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from aws_emulator.errors import CommandError
from aws_emulator.log_lines import LogLine, parse_access_line, parse_function_line
from aws_emulator.log_lines import parse_server_line as parse_server
from aws_emulator.trace import format_tree
from tools.trace import __main__ as command
from tools.trace import find
from tools.trace.evidence import Evidence, Execution

FIRST, SECOND = "cf-first==", "cf-second"
START_MS = 1_796_115_600_000
SHARD = "shardId-000000000001"


def parsed(line: LogLine | None) -> LogLine:
    assert line is not None
    return line


def access(request_id: str, second: int, **fields: Any) -> LogLine:
    document = {
        "time": f"2026-12-01T09:00:{second:02d}+00:00", "id": request_id, "method": "POST",
        "path": "/v1/track", "status": 200, "behavior": "/v1/*", "x_cache": "Miss", "ms": 12.5,
        "functions": {"origin-request": "generated:200"}, **fields,
    }  # fmt: skip
    return parsed(parse_access_line("cloudfront", json.dumps(document), 0))


def function(source: str, invocation: str, **fields: Any) -> list[LogLine]:
    report = f"REPORT RequestId: {invocation}\tDuration: 8 ms"
    texts = (json.dumps(fields), report)
    at_ms = START_MS
    return [parsed(parse_function_line(source, at_ms, text, invocation)) for text in texts]


def collected(request_id: str, invocation: str, sequence: str) -> list[LogLine]:
    position = {"region": "us-east-1", "shard": SHARD, "sequence": sequence}
    return function("EdgeIngestFunction", invocation, request_id=request_id, **position)


def batch(first: str, last: str, **fields: Any) -> LogLine:
    document = {
        "time": 1_796_115_601, "event": "invoked", "region": "us-east-1", "shard": SHARD,
        "records": 2, "first": first, "last": last, "attempt": 1, "request_id": "batch-1",
        "ms": 40, **fields,
    }  # fmt: skip
    return parsed(parse_server("event-sources", json.dumps(document), 0))


class History:
    """A Step Functions client with one state in the history of each execution."""

    def get_paginator(self, operation: str) -> "History":
        assert operation == "get_execution_history"
        return self

    def paginate(self, **_arguments: Any) -> list[dict[str, Any]]:
        at = datetime(2026, 12, 1, 9, 0, 1, tzinfo=UTC)
        entered = {
            "timestamp": at, "type": "TaskStateEntered",
            "stateEnteredEventDetails": {"name": "Validate"},
        }  # fmt: skip
        failed = {
            "timestamp": at, "type": "TaskFailed",
            "taskFailedEventDetails": {"error": "TransientError"},
        }  # fmt: skip
        return [{"events": [entered, failed]}]


def execution(machine: str, name: str, input_document: dict[str, str]) -> Execution:
    arn = f"arn:aws:states:us-east-1:000000000000:execution:{machine}:{name}"
    return Execution(
        machine, arn, name, "RUNNING", START_MS, None, lambda: json.dumps(input_document)
    )


def evidence(*lines: LogLine, executions: tuple[Execution, ...] = ()) -> Evidence:
    test_evidence = Evidence(list(lines), History(), "local")
    test_evidence.__dict__["executions"] = list(executions)
    return test_evidence


EVENTS = evidence(
    access(FIRST, 0),
    access(SECOND, 1, origin_request_id="api-2"),
    *collected(FIRST, "ingest-1", "11"),
    *collected(SECOND, "ingest-2", "12"),
    batch("11", "12"),
    *function(
        "EventsFunction", "batch-1", message="object written", shard=f"s#{SHARD}",
        first="11", last="12", key="events/date=2026-12-01/hour=09/a.parquet",
    ),
)  # fmt: skip


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (FIRST, [FIRST]),
        ("ingest-1", [FIRST]),
        ("11", [FIRST]),
        ("api-2", [SECOND]),
        ("batch-1", [FIRST, SECOND]),
        ("1", []),
        ("absent", []),
    ],
)
def test_id_belongs_to_requests(wanted: str, expected: list[str]) -> None:
    assert find.correlation_ids(EVENTS, wanted) == expected


def test_tree_of_event_ends_at_its_object() -> None:
    (tree,) = find.trees(EVENTS, FIRST)
    names = tree.names()
    assert names[0] == f"CloudFront POST /v1/track 200 Miss  {FIRST}"
    assert names[1].startswith("EdgeIngestFunction (origin-request) generated:200")
    assert f"Kinesis us-east-1 {SHARD}:11" in names
    assert names[-1] == "lake object events/date=2026-12-01/hour=09/a.parquet"
    assert len(format_tree(tree).splitlines()) == len(names) + 1


def test_tree_of_event_that_no_batch_has_read_ends_at_its_stream() -> None:
    waiting = evidence(access(FIRST, 0), *collected(FIRST, "ingest-1", "13"), batch("11", "12"))
    (tree,) = find.trees(waiting, FIRST)
    assert tree.names()[-1].startswith("no batch with this record yet")


def test_tree_of_event_names_discarded_batch_and_its_destination() -> None:
    lost = {"event": "discarded", "condition": "RetryAttemptsExhausted", "destination": "failures"}
    discarded = batch("11", "12", request_id="", **lost)
    (tree,) = find.trees(
        evidence(access(FIRST, 0), *collected(FIRST, "ingest-1", "11"), discarded), FIRST
    )
    assert "discarded" in tree.names()[-1]
    assert tree.names()[-1].endswith("RetryAttemptsExhausted, sent to failures")


def test_failed_state_shows_its_error() -> None:
    api = access(FIRST, 0, path="/api/accounts/proofs", functions={}, origin_request_id="api-1")
    entry = {
        "requestId": "api-1", "method": "POST", "operation": "/accounts/proofs", "status": "202",
        "latency": "30", "integrationStatus": "200", "integrationLatency": "20", "errorType": "-",
    }  # fmt: skip
    line = parsed(parse_function_line("meridian-local", START_MS, json.dumps(entry)))
    account = execution("account", "r1", {"requestId": "r1", "correlationId": FIRST})
    test_evidence = evidence(api, line, executions=(account,))
    (tree,) = find.trees(test_evidence, "r1")
    assert tree.names()[-2:] == ["state Validate Task", "failed: TransientError"]
    assert find.correlation_ids(test_evidence, account.arn) == [FIRST]


def test_row_of_upload_belongs_to_its_upload() -> None:
    upload = execution("import", "e1", {"request-id": "S3ID"})
    rows = tuple(
        execution("account", f"r{row}", {"correlationId": f"S3ID.{row}"}) for row in range(12)
    )
    test_evidence = evidence(executions=(upload, *rows))
    assert find.correlation_ids(test_evidence, "S3ID.3") == ["S3ID"]
    assert find.correlation_ids(test_evidence, "r11") == ["S3ID"]
    (tree,) = find.trees(test_evidence, "S3ID")
    assert sum(name.startswith("Step Functions admit") for name in tree.names()) == 10
    assert tree.names()[-1] == "and 2 more"


def test_scheduled_invocation_has_tree_without_request() -> None:
    test_evidence = evidence(*function("ChangesFunction", "nightly", message="reconciled"))
    (tree,) = find.trees(test_evidence, "nightly")
    assert tree.names() == ["ChangesFunction  invocation nightly", "info: reconciled"]


@pytest.mark.parametrize(("wanted", "reason"), [("", "ID is missing"), ("x", "has the ID x")])
def test_missing_or_unknown_id_is_refused_with_recent_requests(wanted: str, reason: str) -> None:
    with pytest.raises(CommandError, match=reason) as caught:
        command.report(EVENTS, wanted)
    assert str(caught.value).index(SECOND) < str(caught.value).index(FIRST)


def test_report_limits_trees_of_one_id() -> None:
    lines = [
        line
        for number in range(7)
        for line in (access(f"cf-{number}", 0), *collected(f"cf-{number}", f"i{number}", "11"))
    ]
    text = command.report(evidence(*lines, batch("11", "12")), "11")
    assert text.count("CloudFront POST") == find.MAX_TREES
    assert text.endswith("2 more requests have this ID.")
