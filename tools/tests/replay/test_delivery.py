"""Delivery of a batch: retries, final responses and errors."""

import json
from typing import Any

import pytest

from aws_emulator.errors import CommandError
from tools.replay.batches import Batch
from tools.replay.delivery import (
    MAX_ATTEMPTS,
    MAX_LOST_CONNECTIONS,
    MAX_WAIT_S,
    Delivery,
    deliver,
)
from tools.replay.http_client import ConnectionLostError, Response
from tools.replay.sender import authorization
from tools.tests.replay.fake_collector import WRITE_KEY, FakeCollector
from tools.tests.replay.test_batches import view

VIEWS = (view(0, 1), view(1, 2), view(2, 3))
BATCH = Batch(VIEWS[0].visitor, VIEWS)
BUSY = Response(503, None, b'{"code":"stream_unavailable","message":"later"}')


def send(collector: FakeCollector, key: str = WRITE_KEY) -> tuple[Delivery, list[float]]:
    waits: list[float] = []
    return deliver(BATCH, collector.client(), authorization(key), waits.append), waits


def failing(times: int, answer: Response = BUSY) -> FakeCollector:
    return FakeCollector(lambda number: answer if number < times else None)


def test_first_200_response_is_final() -> None:
    delivery, waits = send(FakeCollector())

    assert delivery == Delivery({}, (200,), 0)
    assert waits == []


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_temporary_error_is_retried_with_the_same_bytes(status: int) -> None:
    collector = failing(2, Response(status, None, b""))

    delivery, waits = send(collector)

    assert delivery.statuses == (status, status, 200)
    assert len(set(collector.bodies)) == 1
    assert 0 < waits[0] < waits[1]
    assert [event["messageId"] for event in collector.events] == [v.message_id for v in VIEWS]


def test_retry_after_is_limited_to_the_longest_wait() -> None:
    assert send(failing(1, BUSY._replace(retry_after=2.0)))[1] == [2.0]
    assert send(failing(1, BUSY._replace(retry_after=3_600.0)))[1] == [MAX_WAIT_S]


def test_delivery_fails_after_ten_attempts() -> None:
    assert len(send(failing(MAX_ATTEMPTS - 1))[0].statuses) == MAX_ATTEMPTS

    with pytest.raises(CommandError, match=r"10 times with 503 \(stream_unavailable\)"):
        send(failing(MAX_ATTEMPTS))


def lost(times: int) -> FakeCollector:
    def lose(number: int) -> None:
        if number < times:
            raise ConnectionLostError("connection refused")

    return FakeCollector(lose)


def test_delivery_fails_after_three_lost_connections() -> None:
    delivery, _ = send(lost(MAX_LOST_CONNECTIONS - 1))
    assert delivery == Delivery({}, (200,), MAX_LOST_CONNECTIONS - 1)

    with pytest.raises(CommandError, match="stopped answering: connection refused"):
        send(lost(MAX_LOST_CONNECTIONS))


def test_rejected_event_leaves_the_other_events_accepted() -> None:
    def reject(event: dict[str, Any]) -> str | None:
        return "no_type" if event["messageId"] == VIEWS[1].message_id else None

    assert send(FakeCollector(reject=reject))[0].rejected == {1: "no_type"}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"code":"too_large","message":"no"}', "too_large"),
        (b"<html>", "http_413"),
        (b"[]", "http_413"),
        (b'{"code":"\\u001b[31m"}', "http_413"),
    ],
)
def test_permanent_error_rejects_the_whole_batch(body: bytes, code: str) -> None:
    delivery, _ = send(failing(1, Response(413, None, body)))

    assert delivery == Delivery({0: code, 1: code, 2: code}, (413,), 0)


def test_wrong_write_key_raises_an_error() -> None:
    with pytest.raises(CommandError, match="write key"):
        send(FakeCollector(), key="another")


@pytest.mark.parametrize(
    "document",
    [
        "accepted",
        {"rejected": [{"index": 3, "code": "x"}]},
        {"rejected": [{"index": -1, "code": "x"}]},
        {"rejected": [{"code": "x"}]},
        {"rejected": ["x"]},
        {"rejected": {"0": "x"}},
    ],
)
def test_response_without_valid_rejected_list_raises_an_error(document: object) -> None:
    with pytest.raises(CommandError):
        send(failing(1, Response(200, None, json.dumps(document).encode())))
