"""System tests with several Regions: edge locations, API requests, and failover of events."""

import base64
import json
import time
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from aws_emulator.route53.locations import service_address
from tests.support.access_tokens import access_token_of
from tests.support.advisors import new_slot
from tests.support.environments import end_environments, find_environments
from tests.support.paths import ROOT
from tests.support.waiting import wait_until
from tests.system.conftest import LONDON, MUMBAI
from tests.system.regional_lakes import stored_in_lakes
from tests.system.test_journey import event, get, post, stored
from tools import invoke
from tools.demo_students import put_user
from tools.dev import reload, system
from tools.lake_sql.lake_copy import copy_lake
from tools.lake_sql.tables import open_lake, open_regions
from tools.stack import StackTarget, client
from tools.trace import __main__ as trace
from tools.trace import find

pytestmark = pytest.mark.integration

#: The handlers of the edge functions.
EDGE_AUTH, EDGE_INGEST = "edge_auth.handler.lambda_handler", "edge_ingest.handler.lambda_handler"


def api_key(endpoint: str, region: str) -> str:
    """Return the key that opens a Region's API."""
    gateway = client("apigateway", StackTarget(endpoint, region))
    (key,) = gateway.get_api_keys(includeValues=True)["items"]
    return str(key["value"])


def call_api(
    regions: system.System,
    region: str,
    method: str,
    path: str,
    body: Any = None,
    student: int = 0,
    token: str = "",
) -> Any:
    """Send a request to one Region's API as a student, or with a token; return status and body.

    The system has a domain, so the API has no endpoint of its own.
    """
    port = regions.api_url.rpartition(":")[2]
    response = httpx.request(
        method,
        f"http://{service_address(region)}:{port}/api{path}",
        json=body,
        headers={
            "Authorization": f"Bearer {token or regions.students[student].token}",
            "Host": f"global-api.{regions.domain}",
            "x-api-key": api_key(regions.target.endpoint, region),
        },
        timeout=30,
    )
    return response.status_code, response.json() if response.content.strip() else None


def test_appointment_from_any_region_is_stored_in_home_region(regions: system.System) -> None:
    """A condition expression applies to one Region, so all APIs use the home Region's table."""
    slot = new_slot(regions)
    status, booked = call_api(regions, MUMBAI, "POST", "/appointments", slot)
    assert status == 201
    table = f"meridian-{regions.target.stage}-appointments"
    key = {"pk": {"S": f"ADVISOR#{slot['advisorId']}"}, "sk": {"S": f"SLOT#{slot['start']}"}}
    item = client("dynamodb", regions.target).get_item(TableName=table, Key=key)["Item"]
    assert item["origin_region"] == {"S": LONDON}
    assert booked in call_api(regions, LONDON, "GET", "/appointments")[1]["appointments"]


def test_slot_is_booked_once_while_replication_is_held(regions: system.System) -> None:
    """Conditional writes of two Regions would both succeed; both APIs write in the home Region."""
    slot = new_slot(regions)
    url = f"{regions.target.endpoint}/_local/replication"
    try:
        httpx.post(f"{url}?held=1", timeout=30).raise_for_status()
        first = call_api(regions, MUMBAI, "POST", "/appointments", slot, student=1)
        second = call_api(regions, LONDON, "POST", "/appointments", slot)
    finally:
        httpx.post(f"{url}?held=0", timeout=30).raise_for_status()
    assert first[0] == 201
    assert second[0] == 409


def test_account_request_is_idempotent_across_regions(
    regions: system.System,
) -> None:
    request_id = str(uuid.uuid4())
    body = {"requestId": request_id, "email": f"{request_id}@example.com", "name": "Zoë O'Brien"}
    first = call_api(regions, MUMBAI, "POST", "/accounts", body)
    assert first[0] == 202
    assert call_api(regions, LONDON, "POST", "/accounts", body) == first
    changed = body | {"name": "Another Name"}
    assert call_api(regions, MUMBAI, "POST", "/accounts", changed)[0] == 409
    for region in (LONDON, MUMBAI):
        assert call_api(regions, region, "GET", f"/accounts/requests/{request_id}")[0] == 200


def test_feedback_is_queued_in_the_region_that_received_it(regions: system.System) -> None:
    assert call_api(regions, MUMBAI, "POST", "/feedback", {"message": "It's fine"})[0] == 202
    queue = f"meridian-{regions.target.stage}-feedback"
    sqs = client("sqs", StackTarget(regions.target.endpoint, MUMBAI))
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    assert message["Body"] == '{"message": "It\'s fine"}'


def test_inbox_of_the_home_has_the_feedback_of_each_region(regions: system.System) -> None:
    sent = {region: f"feedback {uuid.uuid4()}" for region in (LONDON, MUMBAI)}
    for region, text in sent.items():
        assert call_api(regions, region, "POST", "/feedback", {"message": text})[0] == 202
    response = client("lambda", regions.target).invoke(
        FunctionName=f"meridian-{regions.target.stage}-office",
        Payload=json.dumps({"action": "inbox", "groups": "staff", "after": ""}).encode(),
    )
    page = json.loads(response["Payload"].read())["body"]
    assert page["missing"] == []
    received = {it["message"]: it["receivedIn"] for it in page["feedback"]}
    assert {text: received.get(text) for text in sent.values()} == {
        text: region for region, text in sent.items()
    }


def test_ended_environments_are_replaced(regions: system.System) -> None:
    """Other tests rely on it after outages: a new environment avoids no Region."""
    assert post(regions, "/v1/track", event("track", "regions")).status_code == 200
    before = {it.pid for it in find_environments(regions, EDGE_INGEST)}
    assert end_environments(regions, EDGE_INGEST) == len(before) > 0
    assert find_environments(regions, EDGE_INGEST) == []
    assert post(regions, "/v1/track", event("track", "regions")).status_code == 200
    after = {it.pid for it in find_environments(regions, EDGE_INGEST)}
    assert after
    assert not after & before


def test_edge_functions_run_in_the_region_of_the_edge_location(regions: system.System) -> None:
    """Each address is an edge location of one Region, from which the nearest stream is seen."""
    paying = next(it for it in regions.students if it.paying)
    assert set(regions.urls) == {LONDON, MUMBAI}
    end_environments(regions, EDGE_INGEST)
    near_mumbai = replace(regions, urls={LONDON: regions.urls[MUMBAI]})
    sent = event("track", "regions", event="Near Mumbai")
    assert post(near_mumbai, "/v1/track", sent).status_code == 200
    lake = f"meridian-{regions.target.stage}-lake-000000000000-{MUMBAI}"
    (row,) = stored(regions, f"message_id = '{sent['messageId']}'", 1, lake)
    assert (row["edge_region"], row["stream_region"], row["failover"]) == (MUMBAI, MUMBAI, False)
    assert get(near_mumbai, "/premium/").status_code == 401
    assert get(near_mumbai, "/premium/", paying.token).status_code == 200


def operator_token(regions: system.System) -> str:
    """Return the access token of a new user of the group operators."""
    email, password = f"operator-{uuid.uuid4().hex[:8]}@example.com", uuid.uuid4().hex
    pool = regions.deployed.outputs["UserPoolId"]
    put_user(
        client("cognito-idp", regions.target), pool, email, password, paying=False, operator=True
    )
    return access_token_of(regions, email, password)


def operated_regions(regions: system.System, called: str, token: str) -> list[str]:
    """Return the Regions of the cockpit, whose operations the API of a Region has."""

    def call(path: str) -> Any:
        status, answer = call_api(regions, called, "GET", path, token=token)
        assert status == 200, answer
        return answer

    start = int(time.time()) - 600
    names = []
    for listed in call("/operator/regions")["places"]:
        segment, name = listed["place"], listed["regionName"]
        flow = call(f"/operator/flow/{segment}?start={start}&period=60")
        alarms = call(f"/operator/alarms/{segment}")
        assert (flow["regionName"], alarms["regionName"]) == (name, name)
        assert alarms["alarms"]
        assert "verdicts" in call(f"/operator/verdicts/{segment}?source=portal")
        names.append(name)
    path = f"/operator/flow/further-{len(names)}?start={start}&period=60"
    assert call_api(regions, called, "GET", path, token=token)[0] == 404
    return names


def test_operator_reads_the_figures_and_the_lake_of_each_region(regions: system.System) -> None:
    """Each Region has a lake; the operations of Mumbai read that of Mumbai only."""
    end_environments(regions, EDGE_INGEST)
    near_mumbai = replace(regions, urls={LONDON: regions.urls[MUMBAI]})
    sent = event("track", "regions", event="In one lake")
    answer = post(near_mumbai, "/v1/track", sent)
    assert answer.status_code == 200
    where = f"message_id = '{sent['messageId']}'"
    assert stored(regions, where, 1, f"meridian-{regions.target.stage}-lake-000000000000-{MUMBAI}")
    token = operator_token(regions)
    for called in (LONDON, MUMBAI):
        assert operated_regions(regions, called, token) == [LONDON, MUMBAI]

    def call(method: str, path: str, body: Any = None) -> Any:
        status, answer = call_api(regions, LONDON, method, path, body, token=token)
        assert status == 200, answer
        return answer

    def wait_for_end(path: str) -> None:
        ended = {"SUCCEEDED", "FAILED", "CANCELLED"}
        wait_until(lambda: call("GET", path)["state"] in ended, f"the end of {path}")

    requests = {
        segment: {
            it["requestId"]
            for it in call("GET", f"/operator/verdicts/{segment}?source=portal")["verdicts"]
        }
        for segment in ("home", "further-1")
    }
    request_id = answer.headers["x-amz-cf-id"]
    assert (request_id in requests["home"], request_id in requests["further-1"]) == (False, True)
    for queries, count in (("/operator/lakes/further-1/queries", 1), ("/operator/queries", 0)):
        body = {"requestId": str(uuid.uuid4()), "sql": f"SELECT count(*) FROM events WHERE {where}"}
        path = f"{queries}/{call('POST', queries, body)['queryId']}"
        wait_for_end(path)
        assert call("GET", path)["state"] == "SUCCEEDED"
        assert call("GET", f"{path}/rows")["rows"][1:] == [[str(count)]]
    status, refused = call_api(regions, LONDON, "POST", "/operator/lakes/further-1/queries", body)
    assert (status, refused["code"]) == (403, "not_operator")


def test_reload_changes_the_replicas_of_an_edge_function(regions: system.System) -> None:
    """`make dev HOME_REGION=`: the functions' stack is the edge's, and replicas run."""
    path, mark = ROOT / "src" / "edge_auth" / "responses.py", b'"X-Meridian-Reason": reason,'
    source = path.read_bytes()
    assert mark in source
    messages: list[str] = []
    reloader = reload.reloader(regions, messages.append)
    try:
        reloader.apply({path: source.replace(mark, b'"X-Reloaded": "yes", ' + mark)})
        assert "EdgeAuthFunction" in "".join(messages), messages
        for url in regions.urls.values():
            assert httpx.get(f"{url}/premium/", timeout=30).headers["X-Reloaded"] == "yes"
    finally:
        reloader.apply({path: source})


def test_invoked_edge_function_runs_in_the_home_region(
    regions: system.System,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`make invoke` finds the function in the edge's stack."""
    (tmp_path / "up").symlink_to(regions.directory, target_is_directory=True)
    monkeypatch.setattr(invoke, "STATE", tmp_path)
    sample = json.loads((ROOT / "events" / "edge_ingest" / "track.json").read_text())
    secret = base64.b64encode(f"{regions.deployed.write_key}:".encode()).decode()
    headers = sample["Records"][0]["cf"]["request"]["headers"]
    headers["authorization"] = [{"key": "Authorization", "value": f"Basic {secret}"}]
    path = tmp_path / "event.json"
    path.write_text(json.dumps(sample))
    assert invoke.run({"FUNCTION": "EdgeIngestFunction", "EVENT": str(path)}) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["status"] == "200", printed.err
    assert f'"region":"{LONDON}"' in printed.err


def test_trace_finds_a_request_of_any_edge_location(regions: system.System) -> None:
    answer = httpx.get(f"{regions.urls[MUMBAI]}/premium/", timeout=30)
    (tree,) = find.trees(
        trace.collect(regions.target, regions.directory), answer.headers["x-amz-cf-id"]
    )
    assert any("EdgeAuthFunction" in name for name in tree.names())


def test_event_in_two_regions_is_counted_once(regions: system.System, tmp_path: Path) -> None:
    """A client sends an event again, and the answer comes from another Region."""
    end_environments(regions, EDGE_INGEST)
    near_mumbai = replace(regions, urls={LONDON: regions.urls[MUMBAI]})
    sent = event("track", "regions", event="Twice")
    where = f"message_id = '{sent['messageId']}'"
    lakes = {it: f"meridian-{regions.target.stage}-lake-000000000000-{it}" for it in regions.urls}
    for near, region in ((regions, LONDON), (near_mumbai, MUMBAI)):
        assert post(near, "/v1/track", sent).status_code == 200
        assert [row["verdict"] for row in stored(regions, where, 1, lakes[region])] == ["good"]
    folders = {region: tmp_path / region for region in lakes}
    for region, bucket in lakes.items():
        assert copy_lake(client("s3", regions.target), bucket, folders[region])
    with open_lake(folders[LONDON]) as connection:
        open_regions(connection, folders)
        counted = f"SELECT lake_region FROM {{}} WHERE {where} ORDER BY lake_region"
        copies = connection.execute(counted.format("events_all_regions")).fetchall()
        assert copies == [(MUMBAI,), (LONDON,)]
        once = connection.execute(counted.format("events_once_all_regions")).fetchall()
        assert once == [(LONDON,)]


def test_events_fail_over_when_nearest_stream_is_deleted(regions: system.System) -> None:
    """Must run last among the tests with several Regions, because it deletes the stream."""
    end_environments(regions, EDGE_INGEST)

    def is_stored_near() -> bool:
        before = event("track", "regions", event="Before")
        assert post(regions, "/v1/track", before).status_code == 200
        message_id = str(before["messageId"])
        locations = {
            (row["stream_region"], row["failover"])
            for row in stored_in_lakes(regions, f"message_id = '{message_id}'", {message_id})
        }
        return locations == {(LONDON, False)}

    # The first requests of a new environment can take longer than the collector waits for a Region.
    wait_until(is_stored_near, "an event in London", interval_s=1)
    after = event("track", "regions", event="On")
    client("kinesis", regions.target).delete_stream(
        StreamName=regions.deployed.outputs["StreamName"]
    )
    assert post(regions, "/v1/track", after).status_code == 200
    lake = f"meridian-{regions.target.stage}-lake-000000000000-{MUMBAI}"
    (row,) = stored(regions, f"message_id = '{after['messageId']}'", 1, lake)
    assert (row["stream_region"], row["failover"]) == (MUMBAI, True)
