"""Sources, write keys and suppressed persons, from the command and the API to the stream."""

import base64
import json
import uuid
from typing import Any

import httpx
import pytest

from tests.support.waiting import wait_until
from tests.system.test_journey import stored
from tests.system.test_revocation import create_account
from tools.dev import system
from tools.operations.source import change
from tools.stack import client

pytestmark = pytest.mark.integration

#: The local maximum age of the snapshot is 5 seconds. Each process of the collector has its own, so
#: a change can take effect in one and not yet in the next.
WITHIN_S = 60


def request(running: system.System, action: str, **fields: object) -> str:
    functions = client("lambda", running.target)
    return change(functions, running.target.stage, {"action": action, **fields})


def key_in(text: str) -> str:
    return text.partition("Write key: ")[2].partition(" ")[0]


def send(running: system.System, key: str, **event: object) -> httpx.Response:
    event = {"type": "track", "event": "Order", "anonymousId": "visitor-1"} | event
    return httpx.post(
        f"{running.url}/v1/batch", auth=(key, ""), json={"batch": [event]}, timeout=30
    )


def wait_for_status(running: system.System, key: str, status: int) -> None:
    wait_until(
        lambda: send(running, key).status_code == status,
        f"the collector answers {status}",
        WITHIN_S,
        interval_s=0.5,
    )


def test_source_is_created_rotated_disabled_and_removed_without_a_deployment(
    meridian: system.System,
) -> None:
    name = f"shop-{uuid.uuid4().hex[:8]}"
    first = key_in(request(meridian, "create", id=name))
    wait_for_status(meridian, first, 200)
    second = key_in(request(meridian, "rotate", id=name))
    wait_for_status(meridian, second, 200)
    wait_for_status(meridian, first, 200)
    request(meridian, "retire", id=name)
    wait_for_status(meridian, first, 401)
    wait_for_status(meridian, second, 200)
    request(meridian, "configure", id=name, settings={"limits": {"batch_bytes": 10}})
    wait_for_status(meridian, second, 413)
    request(meridian, "configure", id=name, settings={"limits": None})
    wait_for_status(meridian, second, 200)
    request(meridian, "disable", id=name)
    wait_for_status(meridian, second, 401)
    assert name not in request(meridian, "remove", id=name)
    assert send(meridian, meridian.deployed.write_key).status_code == 200


def test_events_of_a_suppressed_person_are_refused_by_the_running_collector(
    meridian: system.System,
) -> None:
    person = f"{uuid.uuid4().hex}@example.com"
    key = meridian.deployed.write_key

    def codes() -> list[str]:
        rejected = send(meridian, key, userId=person).json()["rejected"]
        return [one["code"] for one in rejected]

    request(meridian, "suppress", person=person)
    wait_until(lambda: codes() == ["suppressed"], "the person is suppressed", WITHIN_S)
    snapshot = httpx.get(f"{meridian.url}/snapshots/sources", timeout=30)
    payload = snapshot.text.split(".")[1]
    content = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)).decode()
    assert person not in content
    assert key not in content
    request(meridian, "release", person=person)
    wait_until(lambda: codes() == [], "the person's events are stored again", WITHIN_S)


def test_events_that_violate_the_plan_are_marked_or_refused_and_stored(
    meridian: system.System,
) -> None:
    name = f"plan-{uuid.uuid4().hex[:8]}"
    schema = {"required": ["total"], "properties": {"total": {"type": "number"}}}
    plan = {"events": {"Order": schema}}
    key = key_in(request(meridian, "create", id=name, settings={"plan": plan}))
    wait_for_status(meridian, key, 200)

    def codes(part: str, message_id: str) -> list[str]:
        answer = send(meridian, key, event="Order", messageId=message_id, properties={"n": 1})
        return [one["code"] for one in answer.json().get(part, [])]

    wait_until(
        lambda: codes("repaired", f"{name}-marked") == ["plan_violation"],
        "the plan marks violations",
        WITHIN_S,
        interval_s=0.5,
    )
    request(meridian, "configure", id=name, settings={"plan": plan | {"violations": "refuse"}})
    wait_until(
        lambda: codes("rejected", f"{name}-refused") == ["plan_violation"],
        "the plan refuses violations",
        WITHIN_S,
        interval_s=0.5,
    )
    rows = stored(meridian, f"message_id = '{name}-marked'", 1)
    # A process of the collector without the new source refuses the request, and stores nothing.
    assert [row["reason_code"] for row in rows if row["verdict"] == "good"] == ["plan_violation"]
    request(meridian, "remove", id=name)


def call(
    running: system.System, token: str, body: dict[str, Any] | None
) -> tuple[int, dict[str, Any]]:
    response = httpx.request(
        "GET" if body is None else "POST",
        f"{running.url}/api/sources",
        json=body,
        headers={"Authorization": f"Bearer {token}"},
        timeout=30,
    )
    document: dict[str, Any] = response.json()
    return response.status_code, document


def test_staff_changes_sources_by_the_api_and_others_cannot(meridian: system.System) -> None:
    student = create_account(meridian, "paying").sign_in()
    staff = create_account(meridian, "staff").sign_in()
    name = f"blog-{uuid.uuid4().hex[:8]}"
    creation = {"action": "create", "id": name, "settings": json.dumps({"origins": ["null"]})}
    for body in (None, creation):
        status, problem = call(meridian, student, body)
        assert (status, problem["code"]) == (403, "not_staff")
    status, created = call(meridian, staff, creation)
    assert (status, created["effectiveWithinSeconds"]) == (200, 60)
    wait_for_status(meridian, created["writeKey"], 200)
    status, listed = call(meridian, staff, None)
    assert status == 200
    (source,) = [one for one in listed["sources"] if one["id"] == name]
    assert (source["keys"], source["settings"]) == (1, {"origins": ["null"]})
    assert created["writeKey"] not in json.dumps(listed)
    status, problem = call(meridian, staff, creation)
    assert (status, problem["code"]) == (409, "source_conflict")
    wrong = {"action": "configure", "id": name, "settings": '{"privacy": {"ip": "keep"}}'}
    status, problem = call(meridian, staff, wrong)
    assert (status, problem["code"]) == (400, "invalid_request")
    assert "privacy.ip" in problem["detail"]
    assert call(meridian, staff, {"action": "remove", "id": name})[0] == 200
