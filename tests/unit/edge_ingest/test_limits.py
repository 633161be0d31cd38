"""Tests for error responses and request limits, at each limit and one past it."""

import base64
import gzip
import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from edge_ingest.errors import STATUS, IngestError
from tests.unit.edge_ingest import harness

ONE = {"batch": [harness.track()]}


def status_and_code(result: dict[str, Any]) -> tuple[str, str]:
    return result["status"], json.loads(result["body"])["code"]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({"body": b"not json"}, ("400", "invalid_json")),
        ({"body": b""}, ("400", "invalid_json")),
        ({"body": b"[]"}, ("400", "invalid_batch")),
        ({"body": b"\x1f\x8bnot gzip"}, ("400", "invalid_gzip")),
        ({"body": b"{}", "truncated": True}, ("413", "body_truncated")),
        ({"method": "GET"}, ("405", "method_not_allowed")),
        ({"method": "GET", "uri": "/v1/track"}, ("405", "method_not_allowed")),
        ({"method": "POST", "uri": "/sourceConfig/"}, ("405", "method_not_allowed")),
        ({"uri": "/v1/nothing"}, ("404", "not_found")),
        ({"uri": "/v1/track", "body": b"[]"}, ("400", "invalid_event")),
    ],
)
def test_error_response_has_its_status_and_code(
    sent: dict[str, Any], expected: tuple[str, str]
) -> None:
    collector = harness.Harness()
    result = collector.send(**sent)
    assert status_and_code(result) == expected
    assert harness.header(result, "content-type") == "application/json"
    assert harness.header(result, "cache-control") == "no-store"
    assert not collector.streams.calls
    (line,) = collector.log
    assert json.loads(line)["code"] == expected[1]


def test_status_table_has_every_error() -> None:
    def leaves(kind: type[IngestError]) -> set[type[IngestError]]:
        return {leaf for sub in kind.__subclasses__() for leaf in leaves(sub)} or {kind}

    assert leaves(IngestError) == set(STATUS)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize(("over", "status"), [(0, "200"), (1, "413")])
def test_batch_over_500_kb_is_too_large(
    pack: Callable[[bytes], bytes], over: int, status: str
) -> None:
    texts = [json.dumps(harness.track(p="x" * 30_000)).encode() for _ in range(16)]
    body = b'{"batch":[' + b",".join(texts) + b"]"
    body += b" " * (500 * 1024 + over - len(body) - 1) + b"}"
    assert len(body) == 500 * 1024 + over
    assert harness.Harness().send(body=pack(body))["status"] == status


@pytest.mark.parametrize(("count", "status"), [(2500, "200"), (2501, "413")])
def test_batch_over_2500_events_is_too_large(count: int, status: str) -> None:
    body = b'{"batch":[' + b",".join([b'{"type":"page","userId":"u"}'] * count) + b"]}"
    collector = harness.Harness()
    result = collector.send(body=body)
    assert result["status"] == status
    if status == "200":
        assert json.loads(result["body"])["accepted"] == 2500
        assert sum(len(record.accepted) for record in collector.streams.records) == 2500
    else:
        assert json.loads(result["body"])["code"] == "too_many_events"


def test_response_with_5000_rejections_fits_the_quota() -> None:
    document = harness.settings_document() | {"limits": {"batch_events": 5000}}
    body = b'{"batch":[' + b",".join([b'{"context":0,"originalTimestamp":0}'] * 5000) + b"]}"
    result = harness.Harness(document).send(body=body)
    assert len(json.loads(result["body"])["rejected"]) == 5000
    harness.assert_valid_response(result)


def test_request_over_1_mib_packed_is_split_into_records() -> None:
    document = harness.settings_document() | {"limits": {"batch_bytes": 1024 * 1024}}
    collector = harness.Harness(document)
    generator = random.Random(1)  # random text, because it does not compress
    texts = []
    for n in range(34):
        noise = (
            base64.b85encode(generator.randbytes(24_000)).replace(b'"', b"'").replace(b"\\", b"/")
        )
        texts.append(b'{"type":"page","userId":"u","messageId":"%d","p":"%s"}' % (n, noise))
    body = b'{"batch":[' + b",".join(texts) + b"]}"
    assert len(body) < 1024 * 1024
    response = collector.send_ok(body=body)
    assert response["accepted"] == 34
    assert [bytes(a.event) for r in collector.streams.records for a in r.accepted] == texts
