"""The times of stored objects, from the log of the function that writes them."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aws_emulator.errors import CommandError
from tools.report.stored_times import stored_times


class Logs:
    """FilterLogEvents over a list of messages, all with the same time."""

    def __init__(self, messages: list[str]) -> None:
        self.messages = messages

    def get_paginator(self, _name: str) -> "Logs":
        return self

    def paginate(self, **_request: Any) -> Iterator[dict[str, Any]]:
        for message in self.messages:
            yield {"events": [{"message": message, "timestamp": 1_400_000_000_250}]}


def test_each_written_object_has_its_time() -> None:
    lines = [
        json.dumps({"level": "INFO", "message": "object written", "key": "events/1.parquet"}),
        json.dumps({"message": "object adopted", "key": "events/2.parquet"}),
        json.dumps({"message": "object written"}),
        "START RequestId: object written",
        '["object written"]',
    ]
    assert stored_times(Logs(lines), "group") == {
        "events/1.parquet": datetime(2014, 5, 13, 16, 53, 20, 250_000, UTC)
    }


def test_time_of_the_line_is_preferred_to_the_time_of_the_event() -> None:
    line = {"message": "object written", "key": "k", "timestamp": "2014-05-13 16:53:19,100+0000"}
    assert stored_times(Logs([json.dumps(line)]), "group") == {
        "k": datetime(2014, 5, 13, 16, 53, 19, 100_000, UTC)
    }


def test_refusal_of_the_log_group_becomes_a_message() -> None:
    class Refusing(Logs):
        def paginate(self, **_request: Any) -> Iterator[dict[str, Any]]:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "FilterLogEvents")

    with pytest.raises(CommandError, match=r"Can't read the log group group: .*NotFound"):
        stored_times(Refusing([]), "group")
