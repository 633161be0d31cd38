"""Reading log groups and files, and merging their lines."""

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_emulator import logs
from aws_emulator.log_lines import LogLine, parse_server_line
from aws_emulator.logs import FileReader, LogGroupReader, MergeBuffer, format_line, matches


class FakeLogs:
    """FilterLogEvents over a list of events."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def put(self, timestamp: int, message: str, stream: str = "s") -> None:
        self.events.append({"timestamp": timestamp, "message": message, "logStreamName": stream})

    def filter_log_events(self, *, logGroupName: str, startTime: int, limit: int) -> dict[str, Any]:  # noqa: N803
        assert logGroupName == "/aws/lambda/app"
        events = [it for it in self.events if it["timestamp"] >= startTime]
        return {"events": sorted(events, key=lambda it: int(it["timestamp"]))[:limit]}


def messages(reader: LogGroupReader | FileReader, now_ms: int = 0) -> list[str]:
    return [line.message for line in reader.read(now_ms)]


@pytest.fixture
def fake() -> FakeLogs:
    return FakeLogs()


@pytest.fixture
def reader(fake: FakeLogs) -> LogGroupReader:
    return LogGroupReader(fake, "/aws/lambda/app", "App")


def test_group_returns_each_line_once_also_equal_and_late_ones(
    fake: FakeLogs, reader: LogGroupReader
) -> None:
    fake.put(10_000, "a")
    fake.put(10_000, "a")
    assert messages(reader) == ["a", "a"]
    fake.put(10_000, "a")
    fake.put(9_500, "late", stream="t")
    assert messages(reader) == ["late", "a"]
    fake.put(20_000, "b")
    assert messages(reader) == ["b"]
    assert messages(reader) == []


def test_group_with_more_lines_than_a_page_is_read_completely(
    fake: FakeLogs, reader: LogGroupReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "PAGE_SIZE", 5)
    for number in range(23):
        fake.put(number // 2, f"line {number}")
    assert messages(reader) == [f"line {number}" for number in range(23)]
    assert messages(reader) == []


def test_lines_between_start_and_end_have_the_request_id_of_their_stream(
    fake: FakeLogs, reader: LogGroupReader
) -> None:
    fake.put(1, "START RequestId: r1 Version: 1", "s")
    fake.put(1, "START RequestId: r2 Version: 1", "t")
    fake.put(1, "first", "s")
    fake.put(1, "second", "t")
    assert [(it.message, it.request_id) for it in reader.read(0)] == [
        ("first", "r1"),
        ("second", "r2"),
    ]


def test_file_returns_complete_lines_and_starts_again_when_it_is_emptied(tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    reader = FileReader(path, "server", parse_server_line)
    assert messages(reader) == []
    path.write_text("one\ntw")
    assert messages(reader) == ["one"]
    with path.open("a") as file:
        file.write("o\n")
    assert messages(reader) == ["two"]
    path.write_text("new\n")
    assert messages(reader) == ["new"]


def test_file_line_without_time_has_the_time_of_the_file_then_of_its_reading(
    tmp_path: Path,
) -> None:
    path = tmp_path / "server.log"
    path.write_text("one\n")
    os.utime(path, (7, 7))
    reader = FileReader(path, "server", parse_server_line)
    assert [line.time_ms for line in reader.read(99_000)] == [7_000]
    with path.open("a") as file:
        file.write("two\n")
    assert [line.time_ms for line in reader.read(99_000)] == [99_000]


def at(time_ms: int, message: str = "") -> LogLine:
    return LogLine(time_ms, "App", "INFO", message)


def test_line_waits_until_lines_of_other_sources_can_precede_it() -> None:
    buffer = MergeBuffer(settle_ms=100)
    buffer.add([at(950, "b")])
    assert buffer.take(1_000) == []
    buffer.add([at(940, "a"), at(1_200, "c")])
    assert [line.message for line in buffer.take(1_050)] == ["a", "b"]
    assert [line.message for line in buffer.take_all()] == ["c"]
    assert buffer.take_all() == []


@given(st.lists(st.lists(st.integers(0, 50))))
def test_merged_lines_are_complete_and_in_order_of_time(batches: list[list[int]]) -> None:
    buffer = MergeBuffer()
    for batch in batches:
        buffer.add(at(time_ms) for time_ms in batch)
    expected = sorted(time_ms for batch in batches for time_ms in batch)
    assert [line.time_ms for line in buffer.take_all()] == expected


@pytest.mark.parametrize(
    ("trace", "expected"), [("", True), ("r1", True), ("account-7", True), ("r2", False)]
)
def test_trace_finds_a_request_id_in_the_field_and_in_the_text(trace: str, expected: bool) -> None:
    line = LogLine(0, "App", "INFO", "sent", "r1", '{"message":"sent","account":"account-7"}')
    assert matches(line, trace) is expected


def test_format_has_time_source_level_message_and_request_id() -> None:
    line = LogLine(1_500, "App", "ERROR", "failed\rat line 1", "r1")
    plain = format_line(line, color=False)
    assert plain == f"1970-01-01T00:00:01.500Z {'App':22} {'ERROR':8} failed\n    at line 1 r1"
    colored = format_line(line, color=True)
    assert "\x1b[31mERROR" in colored
    assert "\x1b[2mr1\x1b[0m" in colored
