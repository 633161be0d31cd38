"""A batch is delivered as SDKs deliver: again until it is settled, always the same bytes."""

import json
from typing import Any

import pytest

from aws_emulator.errors import CommandError
from tools.replay.batches import Batch
from tools.replay.delivery import (
    LONGEST_WAIT_S,
    MAX_CONNECTION_TRIES,
    MAX_TRIES,
    Delivery,
    deliver,
)
from tools.replay.send import authorization
from tools.replay.transport import Answer, ConnectionLostError
from tools.tests.replay.edge import WRITE_KEY, Edge
from tools.tests.replay.test_batches import view

VIEWS = (view(0, 1), view(1, 2), view(2, 3))
BATCH = Batch(VIEWS[0].visitor, VIEWS)
BUSY = Answer(503, None, b'{"code":"stream_unavailable","message":"later"}')


def send(edge: Edge, key: str = WRITE_KEY) -> tuple[Delivery, list[float]]:
    waits: list[float] = []
    return deliver(BATCH, edge.client(), authorization(key), waits.append), waits


def failing(times: int, answer: Answer = BUSY) -> Edge:
    return Edge(lambda number: answer if number < times else None)


def test_a_batch_is_settled_by_the_first_200() -> None:
    delivery, waits = send(Edge())

    assert delivery == Delivery({}, (200,), 0)
    assert waits == []


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_what_passes_is_tried_again_with_the_same_bytes(status: int) -> None:
    edge = failing(2, Answer(status, None, b""))

    delivery, waits = send(edge)

    assert delivery.statuses == (status, status, 200)
    assert len(set(edge.bodies)) == 1
    assert 0 < waits[0] < waits[1]
    assert [event["messageId"] for event in edge.events] == [v.message_id for v in VIEWS]


def test_retry_after_is_obeyed_up_to_a_bound() -> None:
    assert send(failing(1, BUSY._replace(retry_after=2.0)))[1] == [2.0]
    assert send(failing(1, BUSY._replace(retry_after=3_600.0)))[1] == [LONGEST_WAIT_S]


def test_tries_are_bounded() -> None:
    assert len(send(failing(MAX_TRIES - 1))[0].statuses) == MAX_TRIES

    with pytest.raises(CommandError, match=r"answered 503 \(stream_unavailable\).* 10 times"):
        send(failing(MAX_TRIES))


def lost(times: int) -> Edge:
    def lose(number: int) -> None:
        if number < times:
            raise ConnectionLostError("connection refused")

    return Edge(lose)


def test_a_lost_connection_is_tried_a_few_times() -> None:
    delivery, _ = send(lost(MAX_CONNECTION_TRIES - 1))
    assert delivery == Delivery({}, (200,), MAX_CONNECTION_TRIES - 1)

    with pytest.raises(CommandError, match="stopped answering \\(connection refused\\)"):
        send(lost(MAX_CONNECTION_TRIES))


def test_one_rejected_event_leaves_the_others_accepted() -> None:
    def reject(event: dict[str, Any]) -> str | None:
        return "no_type" if event["messageId"] == VIEWS[1].message_id else None

    assert send(Edge(reject=reject))[0].rejected == {1: "no_type"}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"code":"too_large","message":"no"}', "too_large"),
        (b"<html>", "http_413"),
        (b"[]", "http_413"),
        (b'{"code":"\\u001b[31m"}', "http_413"),
    ],
)
def test_a_permanent_error_settles_the_whole_batch(body: bytes, code: str) -> None:
    delivery, _ = send(failing(1, Answer(413, None, body)))

    assert delivery == Delivery({0: code, 1: code, 2: code}, (413,), 0)


def test_a_wrong_write_key_ends_the_run() -> None:
    with pytest.raises(CommandError, match="write key"):
        send(Edge(), key="another")


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
def test_an_answer_that_leaves_open_what_was_accepted_ends_the_run(document: object) -> None:
    with pytest.raises(CommandError):
        send(failing(1, Answer(200, None, json.dumps(document).encode())))
