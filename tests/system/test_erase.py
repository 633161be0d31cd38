"""System test of `make erase`: no version of an object of the running system names the person."""

import io
import json
import uuid

import pyarrow.parquet as pq
import pytest

from tests.support.waiting import wait_until
from tests.system.test_journey import event, post, stored
from tools.dev import system
from tools.operations import commands, erase
from tools.operations.stage import Stage
from tools.stack import client

pytestmark = pytest.mark.integration

WITHIN_S = 60


def versions_with(meridian: system.System, text: str) -> list[str]:
    """Return the keys of the lake's versions of objects that contain a text."""
    s3, bucket = client("s3", meridian.target), meridian.deployed.outputs["LakeBucket"]
    keys = []
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for version in page.get("Versions", []):
            key = version["Key"]
            if key.endswith(".parquet"):
                query = {"Bucket": bucket, "Key": key, "VersionId": version["VersionId"]}
                body = s3.get_object(**query)["Body"].read()
                if text in repr(pq.read_table(io.BytesIO(body)).to_pylist()):
                    keys.append(key)
    return keys


def test_erased_person_is_in_no_version_and_is_not_stored_again(meridian: system.System) -> None:
    user, browser = f"user-{uuid.uuid4()}", f"visitor-{uuid.uuid4()}"
    email = f"{uuid.uuid4().hex}@example.com"
    before = {**event("page", "erase"), "anonymousId": browser}
    sign_in = {**event("identify", "erase", userId=user, traits={"email": email})}
    sign_in["anonymousId"] = browser
    bad = {**event("page", "erase", userId=user), "type": "no-such-type"}
    friend = event("track", "friend", event="Invited", properties={"whom": email.upper()})
    other = event("page", "friend", userId="user-of-somebody-else")
    assert post(meridian, "/v1/batch", {"batch": [before, sign_in]}).status_code == 200
    assert post(meridian, "/v1/batch", {"batch": [bad, friend, other]}).status_code == 200
    ids = ", ".join(f"'{it['messageId']}'" for it in (before, sign_in, friend, other))
    stored(meridian, f"message_id IN ({ids})", 4)
    assert versions_with(meridian, user)

    def wait_for_suppression(_: float) -> None:
        def codes() -> list[str]:
            again = {**event("page", "erase"), "userId": user}
            return [it["code"] for it in post(meridian, "/v1/page", again).json()["rejected"]]

        wait_until(lambda: codes() == ["suppressed"], "the suppression", WITHIN_S)

    target = meridian.target
    stage = Stage("local", target.region, lambda service: client(service, target))
    stack = commands.local_stack(target)
    address = erase.ids_of_address(email)
    (report,) = erase.erase(stage, [stack], [user, *address], wait_for_suppression)
    assert report["complete"], report
    assert report["rows"]["events"] >= 4
    assert "nothing of the person is left" in erase.lines_of(report)[-1]
    for text in (user, browser, email, email.upper()):
        assert versions_with(meridian, text) == []
    assert versions_with(meridian, str(other["messageId"]))

    (second,) = erase.erase(stage, [stack], [user, *address], lambda _: None)
    assert (second["rows"], second["objects"], second["versions"]) == ({}, 0, 0)
    # Another producer than the collector puts an event of the person on the stream. A process that
    # began before can have the list of up to a minute ago.
    client("lambda", target).update_function_configuration(
        FunctionName="meridian-local-events", Description="begins again"
    )
    late = event("track", "erase", event="Late", userId=user)
    put = client("kinesis", target).put_record(
        StreamName="meridian-local-events", Data=json.dumps(late).encode(), PartitionKey="late"
    )
    sequence = f"{int(put['SequenceNumber']):056}"
    (row,) = stored(meridian, f"sequence_number = '{sequence}'", 1)
    assert (row["verdict"], row["reason_code"], row["user_id"]) == ("bad", "suppressed", None)
    assert versions_with(meridian, user) == []
    verified = commands.run(stack, "verify", ["--hours", "1"], capture=True)
    assert verified.returncode == 0, verified.stdout + verified.stderr
