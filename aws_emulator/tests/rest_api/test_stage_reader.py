"""Tests of reading deployed stages while the control plane of a Region hangs."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError

from aws_emulator.rest_api import definition, stage_reader
from aws_emulator.rest_api.errors import DefinitionError
from aws_emulator.rest_api.pipeline import Stage
from aws_emulator.rest_api.stage_reader import StageReader
from aws_emulator.tests.rest_api import notes_api

CLIENTS = 8


class ControlPlane:
    """A client of API Gateway whose GetStage waits for `answers`."""

    class exceptions:  # noqa: N801 - the name in boto3's clients
        NotFoundException = KeyError

    def __init__(self) -> None:
        self.meta = SimpleNamespace(region_name="eu-west-2")
        self.answers = threading.Event()
        self.answers.set()
        self.asked = threading.Semaphore(0)
        self.exports = 0

    def get_stage(self, **_: str) -> dict[str, Any]:
        self.asked.release()
        assert self.answers.wait(60)
        return {"stageName": "api", "deploymentId": "d1"}

    def get_export(self, **_: Any) -> dict[str, Any]:
        self.exports += 1
        return {"body": BytesIO(json.dumps(notes_api.document()).encode())}

    def get_paginator(self, _operation: str) -> "ControlPlane":
        return self

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        return [{"items": []}]


def test_one_request_waits_for_a_control_plane_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the hanging control plane of one Region would take every thread of the server."""
    reader, plane = StageReader("http://127.0.0.1:1", "123456789012"), ControlPlane()
    monkeypatch.setattr(reader, "_client", lambda *_, **__: plane)
    monkeypatch.setattr(stage_reader, "_TTL_S", 0.0)
    first = reader.stage("eu-west-2", "a1", "api")
    assert first is not None
    assert plane.asked.acquire(timeout=60)
    # The next look is due, and hangs; until it ends, the known stage is valid.
    monkeypatch.setattr(stage_reader, "_TTL_S", 3600.0)
    plane.answers.clear()
    with ThreadPoolExecutor(1) as threads:
        looking = threads.submit(reader.stage, "eu-west-2", "a1", "api")
        assert plane.asked.acquire(timeout=60)
        assert [reader.stage("eu-west-2", "a1", "api") for _ in range(10)] == [first] * 10
        plane.answers.set()
        assert looking.result(timeout=60) is first
    assert not plane.asked.acquire(blocking=False)


@pytest.mark.parametrize("is_readable", [True, False])
def test_first_requests_read_the_definition_once(
    monkeypatch: pytest.MonkeyPatch, is_readable: bool
) -> None:
    """Eight readings at once can take longer than CloudFront waits for the API, which is a 504."""
    reader, plane = StageReader("http://127.0.0.1:1", "123456789012"), ControlPlane()
    monkeypatch.setattr(reader, "_client", lambda *_, **__: plane)
    if not is_readable:
        refused = notes_api.document() | {definition._KEY_SOURCE: "AUTHORIZER"}
        monkeypatch.setattr(notes_api, "document", lambda: refused)
    plane.answers.clear()
    start = threading.Barrier(CLIENTS + 1)

    def send() -> Stage | None:
        start.wait(60)
        return reader.stage("eu-west-2", "a1", "api")

    with ThreadPoolExecutor(CLIENTS) as threads:
        reading = [threads.submit(send) for _ in range(CLIENTS)]
        start.wait(60)
        assert plane.asked.acquire(timeout=60)
        # No other request asks the control plane while the first one waits for it.
        assert not plane.asked.acquire(timeout=0.2)
        plane.answers.set()
        if is_readable:
            assert len({id(it.result(timeout=60)) for it in reading}) == 1
            assert plane.exports == 1
        else:
            errors = [it.exception(timeout=60) for it in reading]
            assert [type(it) for it in errors] == [DefinitionError] * CLIENTS
            # The next request reads it again.
            monkeypatch.undo()
            monkeypatch.setattr(reader, "_client", lambda *_, **__: plane)
            assert reader.stage("eu-west-2", "a1", "api") is not None


def test_known_stage_serves_when_the_control_plane_fails_in_the_middle_of_a_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reader, plane = StageReader("http://127.0.0.1:1", "123456789012"), ControlPlane()
    monkeypatch.setattr(reader, "_client", lambda *_, **__: plane)
    monkeypatch.setattr(stage_reader, "_TTL_S", 0.0)
    known = reader.stage("eu-west-2", "a1", "api")
    assert known is not None

    def fail(*_: Any, **__: Any) -> Any:
        raise ConnectionClosedError(endpoint_url="http://127.0.0.1:1")

    changed = plane.get_stage() | {"deploymentId": "d2"}
    monkeypatch.setattr(plane, "get_stage", lambda **_: dict(changed))
    monkeypatch.setattr(plane, "get_export", fail)
    assert reader.stage("eu-west-2", "a1", "api") is known
    # A stage that nobody has read can't be served.
    with pytest.raises(DefinitionError, match="Can't read the stage"):
        reader.stage("eu-west-2", "a2", "api")
