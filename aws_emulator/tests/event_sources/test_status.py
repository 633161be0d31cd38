"""When everything has been dealt with."""

from pathlib import Path
from typing import Any

import pytest

from aws_emulator.event_sources.errors import StateError
from aws_emulator.event_sources.status import STATUS_FILE, drained, read_status


def shard(caught_up_at: float | None = 10.0, in_flight: int = 0) -> dict[str, Any]:
    return {"caught_up_at": caught_up_at, "in_flight": in_flight}


def status(*shards: dict[str, Any], state: str = "running") -> dict[str, Any]:
    return {"mappings": [{"source_arn": "arn", "state": state, "shards": list(shards)}]}


def test_drained_is_every_shard_caught_up_since_and_nothing_in_flight() -> None:
    assert drained(status(shard(), shard()), since=10.0, sources=["arn"])
    assert not drained(status(shard(), shard(in_flight=1)), since=10.0)
    assert not drained(status(shard(), shard(9.999)), since=10.0)
    assert not drained(status(shard(None)), since=0.0)
    assert not drained(status(), since=0.0)


def test_a_stream_without_a_running_mapping_is_not_drained() -> None:
    assert not drained(None, since=0.0)
    assert not drained({"mappings": []}, since=0.0, sources=["arn"])
    assert not drained(status(shard()), since=0.0, sources=["arn", "other"])
    assert not drained(status(shard(), state="invalid"), since=0.0, sources=["arn"])


def test_a_status_is_read_where_there_is_one(tmp_path: Path) -> None:
    assert read_status(tmp_path) is None
    (tmp_path / STATUS_FILE).write_text('{"mappings": []}')
    assert read_status(tmp_path) == {"mappings": []}
    for text in ("{", "[]", "{}"):
        (tmp_path / STATUS_FILE).write_text(text)
        with pytest.raises(StateError):
            read_status(tmp_path)
