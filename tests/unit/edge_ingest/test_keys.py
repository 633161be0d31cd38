"""The write key, wherever an SDK puts it."""

import base64
import json
from typing import Any

import pytest

from tests.unit.edge_ingest import edge


def basic(text: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}


ONE = {"batch": [edge.track()]}
KEYS: list[tuple[dict[str, Any], str]] = [
    ({"headers": basic(f"{edge.KEY}:")}, "200"),
    ({"headers": basic(edge.KEY)}, "200"),
    ({"headers": basic(f"{edge.KEY}:password")}, "200"),
    ({"headers": {"Authorization": "basic V0tfcG9ydGFsOg=="}}, "200"),
    ({"query": f"writeKey={edge.KEY}"}, "200"),
    ({"headers": {"X-Write-Key": f"{edge.KEY}:secret"}}, "200"),
    ({"body": ONE | {"writeKey": edge.KEY}}, "200"),
    ({"body": ONE | {"writeKey": edge.KEY}, "headers": basic("other:")}, "200"),
    ({"body": ONE | {"writeKey": edge.KEY}, "headers": {"Authorization": "Bearer x"}}, "200"),
    ({}, "missing_write_key"),
    ({"headers": {"Authorization": "Basic *"}}, "missing_write_key"),
    ({"headers": {"Authorization": "Basic é"}}, "missing_write_key"),
    ({"headers": basic(":")}, "missing_write_key"),
    ({"headers": basic("other:")}, "invalid_write_key"),
    ({"body": ONE | {"writeKey": "other"}}, "invalid_write_key"),
    ({"body": ONE | {"writeKey": [edge.KEY]}}, "invalid_write_key"),
    ({"query": "writeKey="}, "missing_write_key"),
]  # fmt: skip


@pytest.mark.parametrize(("sent", "outcome"), KEYS)
def test_the_write_key_wherever_an_sdk_puts_it(sent: dict[str, Any], outcome: str) -> None:
    collector = edge.Edge()
    result = collector.send(**({"body": ONE, "key": None} | sent))
    if outcome == "200":
        assert result["status"] == "200"
        return
    assert result["status"] == "401"
    assert json.loads(result["body"])["code"] == outcome
    assert not collector.streams.calls
