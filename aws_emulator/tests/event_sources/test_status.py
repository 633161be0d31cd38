"""Tests of reading the status file and of `drained`."""

from pathlib import Path
from typing import Any

import pytest

from aws_emulator.event_sources.errors import StateError
from aws_emulator.event_sources.status import STATUS_FILE, drained, read_status


def shard(caught_up_at: float | None = 10.0, in_flight: int = 0) -> dict[str, Any]:
    return {"caught_up_at": caught_up_at, "in_flight": in_flight}


def status(*shards: dict[str, Any], state: str = "running") -> dict[str, Any]:
    return {"mappings": [{"source_arn": "arn", "state": state, "shards": list(shards)}]}


def test_drained_when_all_shards_caught_up_without_records_in_flight() -> None:
    assert drained(status(shard(), shard()), since=10.0, sources=["arn"])
    assert not drained(status(shard(), shard(in_flight=1)), since=10.0)
    assert not drained(status(shard(), shard(9.999)), since=10.0)
    assert not drained(status(shard(None)), since=0.0)
    assert not drained(status(), since=0.0)


def test_not_drained_without_running_mapping_of_stream() -> None:
    assert not drained(None, since=0.0)
    assert not drained({"mappings": []}, since=0.0, sources=["arn"])
    assert not drained(status(shard()), since=0.0, sources=["arn", "other"])
    assert not drained(status(shard(), state="invalid"), since=0.0, sources=["arn"])


def test_read_status_returns_none_or_raises_without_valid_file(tmp_path: Path) -> None:
    assert read_status(tmp_path) is None
    (tmp_path / STATUS_FILE).write_text('{"mappings": []}')
    assert read_status(tmp_path) == {"mappings": []}
    for text in ("{", "[]", "{}"):
        (tmp_path / STATUS_FILE).write_text(text)
        with pytest.raises(StateError):
            read_status(tmp_path)
