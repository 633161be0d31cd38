"""Tests for `authentication`: the write key in each position that SDKs use."""

import base64
import json
from typing import Any

import pytest

from tests.unit.edge_ingest import harness


def basic(text: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}


ONE = {"batch": [harness.track()]}
KEYS: list[tuple[dict[str, Any], str]] = [
    ({"headers": basic(f"{harness.WRITE_KEY}:")}, "200"),
    ({"headers": basic(harness.WRITE_KEY)}, "200"),
    ({"headers": basic(f"{harness.WRITE_KEY}:password")}, "200"),
    ({"headers": {"Authorization": "basic V0tfcG9ydGFsOg=="}}, "200"),
    ({"query": f"writeKey={harness.WRITE_KEY}"}, "200"),
    ({"headers": {"X-Write-Key": f"{harness.WRITE_KEY}:secret"}}, "200"),
    ({"body": ONE | {"writeKey": harness.WRITE_KEY}}, "200"),
    ({"body": ONE | {"writeKey": harness.WRITE_KEY}, "headers": basic("other:")}, "200"),
    (
        {"body": ONE | {"writeKey": harness.WRITE_KEY}, "headers": {"Authorization": "Bearer x"}},
        "200",
    ),
    ({}, "missing_write_key"),
    ({"headers": {"Authorization": "Basic *"}}, "missing_write_key"),
    ({"headers": {"Authorization": "Basic é"}}, "missing_write_key"),
    ({"headers": basic(":")}, "missing_write_key"),
    ({"headers": basic("other:")}, "invalid_write_key"),
    ({"body": ONE | {"writeKey": "other"}}, "invalid_write_key"),
    ({"body": ONE | {"writeKey": [harness.WRITE_KEY]}}, "invalid_write_key"),
    ({"query": "writeKey="}, "missing_write_key"),
]


@pytest.mark.parametrize(("sent", "outcome"), KEYS)
def test_write_key_authenticates_in_any_position(sent: dict[str, Any], outcome: str) -> None:
    collector = harness.Harness()
    result = collector.send(**({"body": ONE, "key": None} | sent))
    if outcome == "200":
        assert result["status"] == "200"
        return
    assert result["status"] == "401"
    assert json.loads(result["body"])["code"] == outcome
    assert not collector.streams.calls


def test_payload_key_that_is_not_a_string_is_invalid() -> None:
    document = harness.settings_document()
    document["sources"][0]["write_key"] = "7"
    result = harness.Harness(document).send(body=ONE | {"writeKey": 7}, key=None)
    assert json.loads(result["body"])["code"] == "invalid_write_key"
