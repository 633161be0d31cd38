"""Words that privacy settings must remove, from the deployed collector to all stored text.

Each privacy setting gets an event with a word in every field that it must remove, and an invalid
one. The word must be in no record of the stream, row of the lake, other object, log or table.
"""

import gzip
import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
import pytest

from tests.system.test_journey import rows, stored
from tests.system.test_sources import key_in, request, wait_for_status
from tools.dev import system
from tools.stack import client

pytestmark = pytest.mark.integration

CONSENT: Final = {"consent": {"categories": ["analytics"], "missing": "deny"}}
FIELDS: Final = ["traits", "properties", "context", "integrations", "userId", "groupId"]
#: Setting -> privacy of the source, headers of the request.
SETTINGS: Final[dict[str, tuple[dict[str, Any], dict[str, str]]]] = {
    "consent": (CONSENT, {}),
    "gpc": ({}, {"Sec-GPC": "1"}),
    "dnt": ({}, {"DNT": "1"}),
    "drop": ({"ip": "drop", "drop": [*FIELDS, "anonymousId"]}, {}),
    "hash": ({"ip": "hash", "hash": [*FIELDS, "anonymousId"]}, {}),
}
#: Those that remove fields of the event, and none of the request.
REMOVE_FIELDS: Final = ("drop", "hash")


def identify(word: str) -> dict[str, Any]:
    """Return an event with the word in every field that can identify a person."""
    device = dict.fromkeys(("id", "token", "advertisingId", "idfv", "name"), word)
    return {
        "type": "identify",
        "messageId": str(uuid.uuid4()),
        "anonymousId": word,
        "userId": word,
        "groupId": word,
        "traits": {"email": f"{word}@person.example", "phone": word},
        "properties": {"email": word, "note": [{"text": word}]},
        "integrations": {"Amplitude": {"session_id": word}},
        "context": {
            "traits": {"email": word},
            "device": device,
            "network": {"carrier": word},
            "externalId": [{"id": word, "type": "crm"}],
            "sessionId": word,
            "page": {"url": f"https://school.example/?email={word}", "title": word},
            "campaign": {"clickid": word},
            "userAgent": word,
            "timezone": word,
            "locale": word,
        },
    }


def addresses(number: int) -> tuple[str, str]:
    """Return the IPv4 and the IPv6 address of a setting."""
    return f"203.0.{number}.77", f"2001:db8:{number}00:bbbb::77"


def prefixes(number: int) -> tuple[str, str]:
    """Return the beginnings of the addresses of a setting, which `truncate` keeps."""
    return f"203.0.{number}.", f"2001:db8:{number}00:"


def with_addresses(number: int) -> dict[str, Any]:
    """Return an event with addresses under the names that SDKs, servers and pages use."""
    four, six = addresses(number)
    named = {"ip": four, "$ip": six, "clientIp": four, "X-Real-IP": six, "request_ip": four}
    return {
        "type": "track",
        "event": "Opened a lesson",
        "messageId": str(uuid.uuid4()),
        "anonymousId": str(uuid.uuid4()),
        "request_ip": four,
        "properties": {**named, "visitor": [named]},
        "context": {**named, "device": named, "network": {"wifi": named}},
        "traits": named,
    }


def with_hidden_addresses(number: int) -> dict[str, Any]:
    """Return an event with addresses under further names, and in values and texts."""
    four, six = addresses(number)
    named = {
        "ip_address": four,
        "ipAddress": six,
        "remote_addr": four,
        "x-forwarded-for": f"{four}, 10.0.0.1, {six}",
        "gateway": six,
        "seen": [f"{four}:443", f"[{six}]:443"],
        "note": f"came from {four}.",
        "url": f"https://school.example/?from={four}&to={six}",
    }
    event = with_addresses(number)
    context = {**event["context"], **named, "device": named, "network": [named]}
    return {**event, "properties": named, "context": context, "traits": named}


def records(running: system.System) -> Iterator[str]:
    kinesis = client("kinesis", running.target)
    name = running.deployed.outputs["StreamName"]
    for shard in kinesis.list_shards(StreamName=name)["Shards"]:
        iterator = kinesis.get_shard_iterator(
            StreamName=name, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while iterator:
            answer = kinesis.get_records(ShardIterator=iterator)
            for record in answer["Records"]:
                yield f"{record['PartitionKey']} {_text(record['Data'])}"
            iterator = answer.get("NextShardIterator") if answer["Records"] else None


def logs(running: system.System, since: datetime) -> Iterator[str]:
    service = client("logs", running.target)
    for page in service.get_paginator("describe_log_groups").paginate():
        for group in page["logGroups"]:
            answer = service.filter_log_events(
                logGroupName=group["logGroupName"], startTime=int(since.timestamp() * 1000)
            )
            yield from (event["message"] for event in answer["events"])


def items(running: system.System) -> Iterator[str]:
    dynamodb = client("dynamodb", running.target)
    for page in dynamodb.get_paginator("list_tables").paginate():
        for table in page["TableNames"]:
            for part in dynamodb.get_paginator("scan").paginate(TableName=table):
                yield json.dumps(part["Items"], default=repr)


def objects(running: system.System, since: datetime) -> Iterator[str]:
    """Yield the new objects of all buckets, failure destinations included, but Parquet files."""
    s3 = client("s3", running.target)
    for bucket in s3.list_buckets()["Buckets"]:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket["Name"]):
            for entry in page.get("Contents", []):
                if entry["LastModified"] >= since and not entry["Key"].endswith(".parquet"):
                    body = s3.get_object(Bucket=bucket["Name"], Key=entry["Key"])["Body"]
                    yield entry["Key"] + _text(body.read())


def stored_text(running: system.System, since: datetime) -> dict[str, str]:
    """Return all text of the stream, the lake, the logs, the tables and the other objects."""
    return {
        "stream": "\n".join(records(running)),
        "lake": repr(rows(running, "true")),
        "logs": "\n".join(logs(running, since)),
        "tables": "\n".join(items(running)),
        "objects": "\n".join(objects(running, since)),
    }


def _text(data: bytes) -> str:
    unpacked = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    return unpacked.decode("utf-8", "replace")


def test_address_is_stored_as_the_source_permits(meridian: system.System) -> None:
    """With `truncate`, no address under a usual name is stored whole; else none, nor a part."""
    since = datetime.now(UTC) - timedelta(seconds=5)
    suffix = uuid.uuid4().hex[:8]
    rules = ("truncate", "drop", "hash")
    for number, rule in enumerate(rules, 1):
        source = f"addresses-{suffix}-{rule}"
        settings = {"privacy": {"ip": rule}}
        key = key_in(request(meridian, "create", id=source, settings=settings))
        wait_for_status(meridian, key, 200)
        make = with_addresses if rule == "truncate" else with_hidden_addresses
        four, six = addresses(number)
        for path, body in {
            "/v1/batch": {
                "batch": [make(number), {**make(number), "type": "unknown"}],
                "context": {"ip": six, "network": {"clientIp": four}},
            },
            "/v1/track": make(number),
        }.items():
            sent = {"X-Local-Viewer-Address": six if path == "/v1/batch" else four}
            answer = httpx.post(
                f"{meridian.url}{path}", auth=(key, ""), json=body, headers=sent, timeout=30
            )
            assert answer.status_code == 200
            assert answer.json()["accepted"] == 1
        stored(meridian, f"source = '{source}' AND received_at IS NOT NULL", 3)
    texts = stored_text(meridian, since)
    whole, parts = addresses(1), prefixes(1)
    assert [storage for storage, text in texts.items() if any(it in text for it in whole)] == []
    assert {storage for storage, text in texts.items() if all(it in text for it in parts)} >= {
        "stream",
        "lake",
    }
    for number in (2, 3):
        parts = prefixes(number)
        assert [it for it, text in texts.items() if any(part in text for part in parts)] == []


def test_text_that_a_privacy_setting_removes_is_stored_nowhere(meridian: system.System) -> None:
    since = datetime.now(UTC) - timedelta(seconds=5)
    suffix = uuid.uuid4().hex[:8]
    unrestricted = f"unrestricted-{suffix}"  # without privacy settings: the search can find it
    sources = {"none": ({}, {}), **SETTINGS}
    words = {setting: f"word{suffix}{setting}" for setting in SETTINGS} | {"none": unrestricted}
    names = {setting: f"privacy-{suffix}-{setting}" for setting in sources}
    for setting, (privacy, headers) in sources.items():
        created = request(meridian, "create", id=names[setting], settings={"privacy": privacy})
        key = key_in(created)
        wait_for_status(meridian, key, 200)
        word = words[setting]
        invalid = {**identify(word), "type": "unknown"}
        sent = dict(headers)
        if setting not in REMOVE_FIELDS:
            sent = {**headers, "User-Agent": word, "X-Local-Viewer-City": word}
        answer = httpx.post(
            f"{meridian.url}/v1/batch",
            auth=(key, ""),
            json={"batch": [identify(word), invalid], "context": {"traits": {"email": word}}},
            headers={**sent, "X-Local-Viewer-Address": "2001:db8:1:2222:3333:4444:5555:6666"},
            timeout=30,
        )
        assert answer.status_code == 200
        denied = 1 if setting == "consent" else 0
        assert answer.json()["accepted"] == 1 - denied
    for name in names.values():
        stored(meridian, f"source = '{name}' AND received_at IS NOT NULL", 2)
    texts = stored_text(meridian, since)
    assert {storage for storage, text in texts.items() if unrestricted in text} >= {
        "stream",
        "lake",
    }
    assert {
        (storage, setting)
        for storage, text in texts.items()
        for setting in SETTINGS
        if words[setting] in text
    } == set()
    assert [storage for storage, text in texts.items() if "3333:4444:5555:6666" in text] == []
