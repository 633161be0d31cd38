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


@pytest.mark.parametrize("pack", [bytes, lambda data: gzip.compress(data, mtime=0)])
@pytest.mark.parametrize(("over", "status"), [(0, "200"), (1, "413")])
def test_batch_over_the_limit_of_its_source_is_too_large(
    pack: Callable[[bytes], bytes], over: int, status: str
) -> None:
    texts = [json.dumps(harness.track(p="x" * 30_000)).encode() for _ in range(16)]
    body = b'{"batch":[' + b",".join(texts) + b"]"
    body += b" " * (500 * 1024 + over - len(body) - 1) + b"}"
    assert len(body) == 500 * 1024 + over
    document = harness.settings_document(limits={"batch_bytes": 500 * 1024})
    document["sources"].append({"id": "other", "write_key": "other"})
    assert harness.Harness(document).send(body=pack(body))["status"] == status
    assert harness.Harness(document).send(body=pack(body), key="other")["status"] == "200"


@pytest.mark.parametrize(("over", "status"), [(0, "200"), (1, "413")])
def test_body_over_4_mib_is_too_large(over: int, status: str) -> None:
    text = json.dumps(harness.track(p="x" * 60_000)).encode()
    body = b'{"batch":[' + b",".join([text] * 69) + b"]"
    body += b" " * (4 * 1024 * 1024 + over - len(body) - 1) + b"}"
    result = harness.Harness().send(body=gzip.compress(body, mtime=0))
    assert result["status"] == status
    if status == "200":
        assert json.loads(result["body"])["accepted"] == 69


def test_batch_of_rudderstack_browser_sdk_is_accepted() -> None:
    """Its queue sends up to 512 KiB; 63 events of 8 KB are a little more with the envelope."""
    texts = [json.dumps(harness.track(messageId=f"m-{n}", p="x" * 8_300)) for n in range(63)]
    body = '{"batch":[' + ",".join(texts) + '],"sentAt":"2026-11-21T12:00:00.000Z"}'
    assert len(body) > 512 * 1024
    assert harness.Harness().send_ok(body=body)["accepted"] == 63


@pytest.mark.parametrize(("over", "status"), [(0, "200"), (1, "413")])
def test_context_of_batch_over_the_limit_of_an_event_is_too_large(over: int, status: str) -> None:
    context = b'{"x":"' + b"x" * (65_536 + over - 8) + b'"}'
    body = b'{"context":%s,"batch":[{"type":"page","userId":"u"}]}' % context
    assert harness.Harness().send(body=body)["status"] == status


@pytest.mark.slow
@pytest.mark.parametrize("filler", [b"x", b'\\"', b"\x01", b"\xff", "é".encode()])
def test_largest_rejected_event_is_kept_whole_or_as_far_as_a_record_permits(filler: bytes) -> None:
    size = 4 * 1024 * 1024 - 40
    event = b'{"type":"page","x":"' + filler * ((size - 30) // len(filler)) + b'"}'
    collector = harness.Harness()
    response = collector.send_ok(body=gzip.compress(b'{"batch":[%s]}' % event, 1, mtime=0))
    assert len(response["rejected"]) == 1
    ((rejected,),) = (record.rejected for record in collector.streams.records)
    assert rejected.raw
    if filler in (b"x", "é".encode()):
        assert rejected.raw.encode() == event


def test_incompressible_rejected_event_does_not_fail_the_request() -> None:
    noise = base64.b85encode(random.Random(2).randbytes(900_000)).replace(b"\\", b"/")
    event = b'{"type":"page","x":"' + noise.replace(b'"', b"'") + b'"}'
    body = gzip.compress(b'{"batch":[%s]}' % event, mtime=0)
    assert len(body) < 1_000_000
    collector = harness.Harness()
    assert len(collector.send_ok(body=body)["rejected"]) == 1
    ((rejected,),) = (record.rejected for record in collector.streams.records)
    assert rejected.raw
    assert event.startswith(rejected.raw.encode())


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
    collector = harness.Harness()
    generator = random.Random(1)  # random text, because it does not compress
    texts = []
    for n in range(44):
        noise = (
            base64.b85encode(generator.randbytes(24_000)).replace(b'"', b"'").replace(b"\\", b"/")
        )
        texts.append(b'{"type":"page","userId":"u","messageId":"%d","p":"%s"}' % (n, noise))
    body = b'{"batch":[' + b",".join(texts) + b"]}"
    response = collector.send_ok(body=body)
    assert response["accepted"] == 44
    assert len(collector.streams.records) == 2
    assert [bytes(a.event) for r in collector.streams.records for a in r.accepted] == texts
