"""Parsing log lines of functions and servers."""

import json

import pytest

from aws_emulator.log_lines import (
    LogLine,
    parse_access_line,
    parse_function_line,
    parse_server_line,
)


def function_line(text: str, request_id: str = "r1") -> LogLine:
    line = parse_function_line("Worker", 5, text, request_id)
    assert line is not None
    return line


def test_json_line_has_its_level_message_fields_and_request_id() -> None:
    document = {
        "level": "warning",
        "message": "slow",
        "function_name": "app-worker",
        "function_request_id": "r2",
        "table": "t",
        "reason": "two words",
        "tries": 3,
    }
    line = function_line(json.dumps(document))
    assert (line.level, line.request_id) == ("WARNING", "r2")
    assert line.message == 'slow table=t reason="two words" tries=3'


def test_json_line_without_request_id_has_that_of_the_invocation() -> None:
    assert function_line('{"status":401}').request_id == "r1"


@pytest.mark.parametrize(
    ("text", "level", "message"),
    [
        ("plain text\n", "INFO", "plain text"),
        ("[ERROR] KeyError: 'id'\rTraceback", "ERROR", "KeyError: 'id'\rTraceback"),
        ("[WARN] late", "WARNING", "late"),
        ('{"not": json', "INFO", '{"not": json'),
        ("{}", "INFO", ""),
    ],
)
def test_text_line_has_the_level_of_its_prefix(text: str, level: str, message: str) -> None:
    line = function_line(text)
    assert (line.level, line.message, line.request_id) == (level, message, "r1")


def test_report_line_has_its_own_request_id() -> None:
    line = function_line("REPORT RequestId: r7\tDuration: 3 ms\tBilled Duration: 3 ms", "")
    assert (line.level, line.request_id) == ("DEBUG", "r7")
    assert line.message == "REPORT Duration: 3 ms  Billed Duration: 3 ms"


@pytest.mark.parametrize(
    "text", ["START RequestId: r1 Version: 2", "END RequestId: r1", '{"_aws":{},"Count":1}']
)
def test_start_end_and_metric_lines_are_omitted(text: str) -> None:
    assert parse_function_line("Worker", 5, text, "r1") is None


@pytest.mark.parametrize(("status", "level"), [(200, "INFO"), (404, "WARNING"), (502, "ERROR")])
def test_access_line_has_the_level_of_its_status(status: int, level: str) -> None:
    document = {
        "time": "1970-01-01T00:00:01.500+00:00",
        "id": "cf-id",
        "method": "GET",
        "path": "/a",
        "status": status,
        "x_cache": "Miss",
        "functions": {"viewer-request": "passed"},
        "ms": 1.5,
    }
    line = parse_access_line("cloudfront", json.dumps(document), 9)
    assert line is not None
    assert (line.time_ms, line.level, line.request_id) == (1500, level, "cf-id")
    assert line.message == f"GET /a {status} Miss viewer-request=passed 1.5 ms"


def test_server_line_has_the_time_of_its_document_or_of_its_reading() -> None:
    line = parse_server_line("event-sources", '{"time":1.5,"event":"start","shard":"s"}', 9)
    assert line is not None
    assert (line.time_ms, line.level, line.message) == (1500, "INFO", "start shard=s")
    line = parse_server_line("event-sources", '{"time":1.5,"event":"list_mappings_failed"}', 9)
    assert line is not None
    assert line.level == "WARNING"
    line = parse_server_line("rest-api", "Serving REST APIs\n", 9)
    assert line is not None
    assert (line.time_ms, line.message) == (9, "Serving REST APIs")
    assert parse_server_line("rest-api", "\n", 9) is None
