"""Personal data in no log, history, name or dead letter: a canary is looked for everywhere."""

import base64
import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.sam import client
from tests.school.world import MACHINES, SENT, World, someone

pytestmark = pytest.mark.integration

#: Where a canary may be: encrypted at rest, and gone or kept with the account.
ITS_PLACE = ("PERSON",)
QUEUES = (
    *("parked", "notifications.fifo", "notifications-dead-letters.fifo"),
    *("relay-dead-letters", "rule-dead-letters", "feedback-dead-letters"),
)


def canary() -> str:
    return f"canary{uuid.uuid4().hex[:16]}"


def logs(world: World) -> Iterator[tuple[str, str]]:
    groups = world.logs.get_paginator("describe_log_groups").paginate()
    for group in (it["logGroupName"] for page in groups for it in page["logGroups"]):
        streams = world.logs.describe_log_streams(logGroupName=group)["logStreams"]
        for stream in streams:
            events = world.logs.get_log_events(
                logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True
            )["events"]
            yield f"{group} {stream['logStreamName']}", json.dumps(events)


def histories(world: World) -> Iterator[tuple[str, str]]:
    """Every Standard execution as its history and its description say it; Express keeps none."""
    for name in ("account", "import"):
        pages = world.machines.get_paginator("list_executions").paginate(
            stateMachineArn=f"{MACHINES}-{name}"
        )
        for execution in (it for page in pages for it in page["executions"]):
            arn = execution["executionArn"]
            events = world.machines.get_execution_history(executionArn=arn, maxResults=1000)
            yield arn, str(events["events"])
            yield f"{arn} described", str(world.machines.describe_execution(executionArn=arn))


def elsewhere(world: World) -> Iterator[tuple[str, str]]:
    for name in QUEUES:
        answer = world.queues.receive_message(
            QueueUrl=world.queue_url(name), MaxNumberOfMessages=10, VisibilityTimeout=0
        )
        yield f"queue {name}", json.dumps(answer.get("Messages", []))
    yield "what was sent", json.dumps(world.tables.scan(TableName=SENT)["Items"])
    for row in world.rows():
        if row["sk"]["S"] not in ITS_PLACE:
            yield f"row {row['pk']['S']} {row['sk']['S']}", json.dumps(row)
    metrics = client("cloudwatch", world.running.place).list_metrics()["Metrics"]
    yield "metrics", json.dumps(metrics, default=str)
    lake = world.running.deployed.outputs["FailuresBucket"]
    for item in world.storage.list_objects_v2(Bucket=lake).get("Contents", []):
        body = world.storage.get_object(Bucket=lake, Key=item["Key"])["Body"].read()
        yield f"failure {item['Key']}", body.decode(errors="replace")


def files(world: World) -> Iterator[tuple[str, str]]:
    """What every process of the system wrote for people to read."""
    for folder in ("logs", "poller"):
        for path in sorted(Path(world.running.directory, folder).rglob("*")):
            if path.is_file():
                yield str(path), path.read_text(errors="replace")


def forms(word: str) -> re.Pattern[str]:
    """The word as it is, in other cases, in base64 (three offsets) and in hex."""
    found = [re.escape(word), word.encode().hex()]
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + word.encode()).decode()
        found.append(re.escape(encoded[4 if offset else 0 : -4]))
    return re.compile("|".join(found), re.IGNORECASE)


def test_a_canary_is_found_in_its_place_only(world: World) -> None:
    words = [canary() for _ in range(6)]
    made, name, refused, taken, broken, posted = words
    first = world.ask(f"{made}@example.com", f"{name} Canaryson", locale="hi")
    assert world.outcome(first)["status"] == "created"
    for request in (
        world.ask(f"{refused}@nowhere", f"{refused}\n", programme=refused.upper()),
        world.ask(f"{made}@example.com", taken),
    ):
        assert world.outcome(request)["status"] == "rejected"
    assert len(world.heard(f"{made}@example.com")) == 1
    # A request that the API refuses, and one that it takes.
    url = f"{world.running.url}/api/accounts"
    bad: dict[str, Any] = {"requestId": str(uuid.uuid4()), "email": broken, "more": broken}
    assert httpx.post(url, json=bad, timeout=30).status_code == 400
    good = {"requestId": str(uuid.uuid4()), "email": f"{posted}@example.com", "name": posted}
    assert httpx.post(url, json=good, timeout=30).status_code == 202
    assert world.outcome(good["requestId"])["status"] == "created"
    assert len(world.heard(f"{posted}@example.com")) == 1

    pattern = re.compile("|".join(forms(word).pattern for word in words), re.IGNORECASE)
    places = 0
    for source in (logs, histories, elsewhere, files):
        for place, text in source(world):
            places += 1
            found = pattern.search(text)
            assert found is None, f"{place}: …{text[max(0, found.start() - 80) : found.end() + 20]}"
    assert places > 20
    # It can be found: the search is not blind.
    kept = [row for row in world.rows() if row["sk"]["S"] in ITS_PLACE]
    assert pattern.search(json.dumps(kept))
    assert not [row for row in kept if refused in json.dumps(row) or taken in json.dumps(row)]


def test_a_search_is_not_blind() -> None:
    word = canary()
    for text in (word, word.upper(), word.encode().hex(), f"x{word}y"):
        assert forms(word).search(text)
    for offset in range(3):
        assert forms(word).search(base64.b64encode(b"a" * offset + word.encode() + b"z").decode())
    assert not forms(word).search(someone())
