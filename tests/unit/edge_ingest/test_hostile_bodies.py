"""Tests with bodies that attack the parsers: each gets a response before a deadline."""

import gzip
import json

import pytest

from tests.unit.edge_ingest import harness

SIZE = 500_000
HOSTILE = {
    "escaped quotes without an end": b'{"batch":[{"a":"' + b'\\"' * (SIZE // 2) + b"\\",
    "quotes and backslashes": b'{"batch":[' + b'"\\' * (SIZE // 2),
    "strings without an end": b'{"batch":[{"a":"' + b"x" * SIZE,
    "a poisoned event of hexadecimal": b'{"batch":[{"a":"' + b"a" * (SIZE - 90) + b'","x":NaN}]}',
    "a poisoned event of colons": b'{"batch":[{"a":"' + b":" * (SIZE - 90) + b'","x":tru}]}',
    "a poisoned event of digits": b'{"batch":[{"a":"' + b"1." * (SIZE // 2 - 90) + b'","x":tru}]}',
    "brackets": b'{"batch":[' + b"[" * (SIZE // 2) + b"]" * (SIZE // 2 - 40) + b"]}",
    "opened brackets": b'{"batch":[' * (SIZE // 10),
    "commas": b'{"batch":[{"a":"\\ud800"}' + b"," * (SIZE - 90) + b"]}",
    "a long number": b'{"batch":[{"type":"page","userId":' + b"9" * 30_000 + b"}]}",
    "a long exponent": b'{"batch":[{"type":"page","userId":"u","n":1e' + b"9" * 30_000 + b"}]}",
    "many empty objects": b'{"batch":[' + b"{}," * 2499 + b"{}]}",
    "many keys": b'{"batch":[{"type":"page","userId":"u",'
    + b",".join(b'"%d":0' % n for n in range(3000))
    + b"}]}",
    "white space": b'{"batch":[' + b" \n" * (SIZE // 2 - 90) + b"]}",
    "nul bytes": bytes(SIZE),
    "an event that is not UTF-8": b'{"batch":[{"a":"' + b"\xff" * SIZE + b'"}]}',
    "empty members of gzip": gzip.compress(b"", mtime=0) * 40_000,
    "strings that end like a name": b'{"batch":[{"type":"page","userId":"u","x":['
    + b",".join([b'"zip"'] * 9_000)
    + b"]}]}",
    **{
        f"an event of {pattern!r}": b'{"batch":[{"type":"page","userId":"u","x":"%s"}]}'
        % (pattern * 60_000)[:60_000]
        for pattern in (b":", b"1.", b"a:b:", b"aaaa:", b"1.2.3.4", b"1.2.3.4 ", b"::1,")
    },
}


@pytest.mark.parametrize("rule", ["truncate", "drop"])
@pytest.mark.parametrize("name", sorted(HOSTILE))
@pytest.mark.timeout(120)  # the slowest case takes milliseconds; quadratic time would take hours
def test_hostile_body_gets_response_before_deadline(name: str, rule: str) -> None:
    collector = harness.Harness(harness.settings_document(privacy={"ip": rule}))
    result = collector.send(body=HOSTILE[name])
    harness.assert_valid_response(result)
    assert result["status"] in {"200", "400", "413"}
    if result["status"] == "200":
        response = json.loads(result["body"])
        stored = collector.streams.records
        assert response["accepted"] == sum(len(record.accepted) for record in stored)
        assert len(response["rejected"]) == sum(len(record.rejected) for record in stored)
