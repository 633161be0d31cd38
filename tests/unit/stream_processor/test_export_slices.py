"""The rows of an export: slices of any size have those of one person, each once."""

import base64
import gzip
import json
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream_processor.erasure import export
from stream_processor.erasure.person import Person
from stream_processor.handlers import erasure
from stream_processor.storage.position import BEGIN, Position
from tests.support.examples import at_most
from tests.support.function_results import as_sent
from tests.unit.stream_processor.test_erasure import OTHER, USER
from tests.unit.stream_processor.test_erasure_slices import Budget, filled

PERSON: Final = Person(frozenset({USER}), frozenset({"v1"}))
OWN: Final = ["m1", "m3", "m4"]


def lines(rows: str) -> list[Any]:
    return [json.loads(it) for it in gzip.decompress(base64.b64decode(rows)).splitlines()]


@settings(max_examples=at_most(15), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(keys=st.integers(1, 5), max_bytes=st.sampled_from([1, 2_000, export.MAX_BYTES]))
def test_slices_of_any_size_have_each_row_once(keys: int, max_bytes: int) -> None:
    app, budget, documents = filled().aws.app(), Budget(keys), []
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(export, "MAX_BYTES", max_bytes)
        position: Position | None = BEGIN
        while position is not None:
            budget.start()
            part = export.find_slice(app.lake, PERSON, position, budget)
            rows = lines(part.rows)
            # A slice with more than its limit has a single row.
            assert len(rows) <= 1 or sum(len(json.dumps(it)) for it in rows) <= 2 * max_bytes
            documents += rows
            # The workflow stores it as JSON.
            position = part.position and Position(*json.loads(json.dumps(part.position)))
    assert sorted(it["message_id"] for it in documents) == OWN
    assert {it["table"] for it in documents} == {"events"}
    assert OTHER not in json.dumps(documents)


def test_function_returns_rows_as_the_workflow_reads_them() -> None:
    app = filled().aws.app()
    documents: list[Any] = []
    event: dict[str, Any] = {"action": "export", "ids": [USER], "visitors": ["v1"]}
    event["position"], slices = None, 0
    while not slices or event["position"] is not None:
        result = as_sent(erasure.run(app, event, 0))
        documents += lines(result["rows"])
        event["position"], slices = result["position"], slices + 1
    assert sorted(it["message_id"] for it in documents) == OWN
    assert slices > 1
