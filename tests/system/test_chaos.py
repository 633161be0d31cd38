"""System tests under injected faults: no data is lost or duplicated, and redrive works."""

import json
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest

from tests.support.waiting import wait_until
from tests.system.test_journey import event, post, rows, stored
from tools.chaos import command
from tools.chaos.plan import Plan
from tools.dev import system
from tools.operations import commands as operations
from tools.operations import why
from tools.stack import client

pytestmark = pytest.mark.integration

#: Seconds until a batch that can't be written must be in the failures bucket.
DISCARD_TIMEOUT_S: Final = 60
#: MaximumRecordAgeInSeconds in the test; AWS's minimum is 60.
MAX_RECORD_AGE_S: Final = 3


def test_short_fault_injection_run_loses_no_data(meridian: system.System) -> None:
    """It includes 1,000 random changes, after which table and lake agree."""
    assert command.run(meridian, Plan(seed=5, events=750, changes=1_000, seconds=12)) == 0


@contextmanager
def failing_puts(running: system.System) -> Iterator[None]:
    """Reject all S3 PUT requests, and let the events mapping discard batches quickly."""
    url = f"{running.target.endpoint}/_local/faults"
    lambdas = client("lambda", running.target)
    function = f"meridian-{running.target.stage}-events"
    (mapping,) = lambdas.list_event_source_mappings(FunctionName=function)["EventSourceMappings"]
    rule = "service=s3&operation=PUT&kind=refused"
    urllib.request.urlopen(urllib.request.Request(f"{url}?{rule}", method="POST")).close()
    lambdas.update_event_source_mapping(
        UUID=mapping["UUID"], MaximumRecordAgeInSeconds=MAX_RECORD_AGE_S
    )
    try:
        yield
    finally:
        urllib.request.urlopen(urllib.request.Request(url, method="DELETE")).close()
        lambdas.update_event_source_mapping(
            UUID=mapping["UUID"],
            MaximumRecordAgeInSeconds=mapping["MaximumRecordAgeInSeconds"],
        )


def failure_documents(running: system.System) -> list[dict[str, Any]]:
    """Return the invocation records in the failures bucket."""
    s3, bucket = client("s3", running.target), running.deployed.outputs["FailuresBucket"]
    listed = s3.list_objects_v2(Bucket=bucket, Prefix="aws/lambda/").get("Contents", [])
    bodies = [s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read() for item in listed]
    return [json.loads(body) for body in bodies]


def test_discarded_batch_is_redriven_once(meridian: system.System) -> None:
    sent = [event("track", "given-up", event=f"Step {number}") for number in range(3)]
    ids = ", ".join(f"'{it['messageId']}'" for it in sent)
    with failing_puts(meridian):
        # The poller applies the new maximum age within a second.
        time.sleep(1.5)
        assert post(meridian, "/v1/batch", {"batch": sent}).status_code == 200
        documents = wait_until(
            lambda: failure_documents(meridian),
            "the invocation record",
            DISCARD_TIMEOUT_S,
            interval_s=0.5,
        )
    assert {it["requestContext"]["condition"] for it in documents} == {"RecordAgeExceeded"}
    assert rows(meridian, f"message_id IN ({ids})") == []

    stack = operations.local_stack(meridian.target)
    (discarded,) = why.find([stack], str(sent[0]["messageId"]), [])
    assert discarded.location == "failures"
    first = operations.run(stack, "redrive", ["--failures"], capture=True)
    assert first.returncode == 0, first.stderr
    assert json.loads(first.stdout.removeprefix("failures "))["written"] == 1
    assert failure_documents(meridian) == []
    stored_rows = stored(meridian, f"message_id IN ({ids})", 3)
    assert sorted(row["event"] for row in stored_rows) == ["Step 0", "Step 1", "Step 2"]
    assert {row["verdict"] for row in stored_rows} == {"good"}

    second = operations.run(stack, "redrive", ["--failures"], capture=True)
    assert json.loads(second.stdout.removeprefix("failures "))["objects"] == 0
    assert operations.run(stack, "verify", capture=True).returncode == 0
