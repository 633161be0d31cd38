"""Two regions: one school in both, and events that find the next stream when one is gone."""

import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.system.conftest import LONDON
from tests.system.test_journey import event, post, stored
from tools import sam
from tools.dev import system

pytestmark = pytest.mark.integration


def ask(regions: system.System, region: str, method: str, path: str, body: Any = None) -> Any:
    """Ask a region's own API, as the first student; return status and body."""
    (stack,) = sam.client(
        "cloudformation", sam.Place(regions.place.endpoint, region)
    ).describe_stacks(StackName=f"meridian-{regions.place.stage}-{region}")["Stacks"]
    outputs = {it["OutputKey"]: it["OutputValue"] for it in stack["Outputs"]}
    answer = httpx.request(
        method,
        f"{regions.api_url}/api{path}",
        json=body,
        headers={
            "Authorization": f"Bearer {regions.students[0].token}",
            "Host": f"{outputs['ApiId']}.execute-api.{region}.amazonaws.com",
        },
        timeout=30,
    )
    return answer.status_code, answer.json() if answer.content.strip() else None


def test_a_half_hour_is_booked_once_whichever_region_is_asked(regions: system.System) -> None:
    """A condition guards in one region only: every region's API asks the home region's table."""
    slot = {"advisorId": f"advisor-{uuid.uuid4().hex[:8]}", "start": "2026-12-01T09:30:00Z"}
    status, booked = ask(regions, LONDON, "POST", "/appointments", slot)
    assert status == 201
    table = f"meridian-{regions.place.stage}-appointments"
    key = {"pk": {"S": f"ADVISOR#{slot['advisorId']}"}, "sk": {"S": f"SLOT#{slot['start']}"}}
    item = sam.client("dynamodb", regions.place).get_item(TableName=table, Key=key)["Item"]
    assert item["origin_region"] == {"S": "us-east-1"}
    assert booked in ask(regions, "us-east-1", "GET", "/appointments")[1]["appointments"]


def test_a_request_for_an_account_is_one_request_whichever_region_is_asked(
    regions: system.System,
) -> None:
    request_id = str(uuid.uuid4())
    body = {"requestId": request_id, "email": f"{request_id}@example.com", "name": "Zoë O'Brien"}
    first = ask(regions, LONDON, "POST", "/accounts", body)
    assert first[0] == 202
    assert ask(regions, "us-east-1", "POST", "/accounts", body) == first
    changed = body | {"name": "Somebody Else"}
    assert ask(regions, LONDON, "POST", "/accounts", changed)[0] == 409
    for region in ("us-east-1", LONDON):
        assert ask(regions, region, "GET", f"/accounts/requests/{request_id}")[0] == 200


def test_what_a_student_says_stays_in_the_region_that_was_asked(regions: system.System) -> None:
    assert ask(regions, LONDON, "POST", "/feedback", {"message": "It's fine"})[0] == 202
    queue = f"meridian-{regions.place.stage}-feedback"
    sqs = sam.client("sqs", sam.Place(regions.place.endpoint, LONDON))
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    assert message["Body"] == '{"message": "It\'s fine"}'


def test_events_take_the_next_region_when_the_nearest_is_gone(
    regions: system.System, tmp_path: Path
) -> None:
    """The last of this folder's tests on two regions: the stream does not come back."""
    home, away = tmp_path / "home", tmp_path / "away"
    home.mkdir()
    away.mkdir()
    before, after = event("track", "regions", event="Before"), event("track", "regions", event="On")
    assert post(regions, "/v1/track", before).status_code == 200
    (row,) = stored(regions, f"message_id = '{before['messageId']}'", 1, home)
    assert (row["stream_region"], row["failover"]) == ("us-east-1", False)

    sam.client("kinesis", regions.place).delete_stream(
        StreamName=regions.deployed.outputs["StreamName"]
    )
    assert post(regions, "/v1/track", after).status_code == 200
    lake = f"meridian-{regions.place.stage}-lake-000000000000-{LONDON}"
    (row,) = stored(regions, f"message_id = '{after['messageId']}'", 1, away, lake)
    assert (row["stream_region"], row["failover"]) == (LONDON, True)
