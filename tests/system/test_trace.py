"""`make trace`: the path of an event, an account request, an appointment and an upload."""

import uuid
from typing import Any

import httpx
import pytest

from aws_emulator.errors import CommandError
from aws_emulator.trace import Span
from tests.support.advisors import new_slot
from tests.support.waiting import wait_until
from tests.system.school.school_client import ROSTERS, SchoolClient
from tests.system.test_journey import post
from tools.dev.system import System
from tools.stack import client
from tools.trace import __main__ as command
from tools.trace import find

pytestmark = pytest.mark.integration

#: The email is the last step of an account's workflow.
COMPLETE_WITHIN_S = 120


def trees(meridian: System, wanted: str) -> list[Span]:
    return find.trees(command.collect(meridian.target, meridian.directory), wanted)


def trace(meridian: System, wanted: str, *steps: str) -> list[str]:
    """Return the names in the tree of an ID, when it has these steps in this order.

    Other steps can be between them. The tree grows while the components work.
    """
    names: list[str] = []

    def look() -> list[str] | None:
        names[:] = [name for tree in trees(meridian, wanted) for name in tree.names()]
        return names if missing_step(names, *steps) is None else None

    try:
        return wait_until(look, "the complete trace", COMPLETE_WITHIN_S, interval_s=3)
    except AssertionError:
        pytest.fail(f"{missing_step(names, *steps)} is missing, or not in order: {names}")


def missing_step(names: list[str], *steps: str) -> str | None:
    """Return the first step that no later name contains, or None."""
    position = 0
    for step in steps:
        span_names = next((i for i in range(position, len(names)) if step in names[i]), None)
        if span_names is None:
            return step
        position = span_names + 1
    return None


def api(meridian: System, method: str, path: str, body: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {meridian.students[0].token}"}
    return httpx.request(
        method, f"{meridian.url}/api{path}", json=body, headers=headers, timeout=60
    )


def test_event_is_traced_from_cloudfront_to_its_lake_row(meridian: System) -> None:
    message_id = str(uuid.uuid4())
    body = {"event": "Lesson opened", "userId": "u-1", "messageId": message_id}
    response = post(meridian, "/v1/track", body)
    assert response.status_code == 200
    names = trace(
        meridian,
        response.headers["x-amz-cf-id"],
        "CloudFront POST /v1/track 200",
        "EdgeIngestFunction (origin-request)",
        "Kinesis us-east-1 shardId-",
        "event source mapping invoked",
        "EventsFunction",
        "lake object events/",
        f"row good {message_id}",
    )
    # Every ID on the path finds the same request.
    sequence = next(it for it in names if it.startswith("Kinesis")).rpartition(":")[2]
    key = next(it for it in names if it.startswith("lake object")).rpartition(" ")[2]
    invocations = [it.rpartition(" ")[2] for it in names if "invocation" in it]
    for other in (message_id, sequence, *invocations):
        span_names = [name for tree in trees(meridian, other) for name in tree.names()]
        assert any(response.headers["x-amz-cf-id"] in name for name in span_names), other
    assert trees(meridian, key)


def test_account_request_is_traced_to_its_email(meridian: System) -> None:
    request_id = str(uuid.uuid4())
    body = {"requestId": request_id, "email": f"{request_id}@example.com", "name": "Asha Menon"}
    response = api(meridian, "POST", "/accounts", body)
    assert response.status_code == 202
    steps: tuple[str, ...] = (
        "CloudFront POST /api/accounts 202",
        "EdgeAuthFunction (viewer-request)",
        "API Gateway POST /accounts 202",
        "Step Functions admit",
        "ValidateFunction",
        "event source mapping invoked",
        "RelayFunction",
        "EventBridge, SQS",
        "NotifyFunction",
        "outcome=sent",
    )
    trace(meridian, response.headers["x-amz-cf-id"], *steps)
    proof = SchoolClient(meridian).proof_in_email(body["email"])
    response = api(meridian, "POST", "/accounts/proofs", proof)
    assert response.status_code == 202
    steps = (
        "CloudFront POST /api/accounts/proofs 202",
        "EdgeAuthFunction (viewer-request)",
        "API Gateway POST /accounts/proofs 202",
        "Step Functions prove",
        "IdentityFunction",
        "event source mapping invoked",
        "RelayFunction",
        "EventBridge, SQS",
        "NotifyFunction",
        "outcome=sent",
    )
    ids = (response.headers["x-amz-cf-id"], response.headers["x-amzn-requestid"], request_id)
    for wanted in ids:
        names = trace(meridian, wanted, *steps)
        assert not any("Asha" in name or "@example" in name for name in names)


def test_appointment_is_traced_to_its_lake_row(meridian: System) -> None:
    response = api(meridian, "POST", "/appointments", new_slot(meridian))
    assert response.status_code == 201
    trace(
        meridian,
        response.headers["x-amz-cf-id"],
        "CloudFront POST /api/appointments 201",
        "EdgeAuthFunction (viewer-request)",
        "API Gateway POST /appointments 201",
        "Lambda BookingsFunction 200",
        "event source mapping invoked",
        "ChangesFunction",
        "lake object changes/",
        "row good INSERT",
    )


def test_upload_is_traced_to_its_report_and_emails(meridian: System) -> None:
    address = f"{uuid.uuid4().hex}@example.com"
    answer = client("s3", meridian.target).put_object(
        Bucket=ROSTERS, Key=f"rosters/{uuid.uuid4().hex}.csv", Body=f"email,name\n{address},Anna\n"
    )
    upload = answer["ResponseMetadata"]["HTTPHeaders"]["x-amz-request-id"]
    trace(
        meridian,
        upload,
        "S3 Object Created",
        "Step Functions import",
        "state Inspect",
        "ImportFunction",
        "state Rows",
        f"Step Functions admit  {upload}.0",
        f"Step Functions create  {upload}.0",
        "ValidateFunction",
        "IdentityFunction",
        "RelayFunction",
        "NotifyFunction",
        "outcome=sent",
        "state Report",
        "ImportFunction",
        "report written",
    )
    assert trees(meridian, f"{upload}.0") == trees(meridian, upload)


def test_rejected_request_is_traced_to_the_component_that_rejected_it(meridian: System) -> None:
    response = httpx.post(f"{meridian.url}/api/accounts", json={"email": 1}, timeout=60)
    assert response.status_code == 400
    steps: tuple[str, ...] = ("CloudFront POST", "API Gateway POST /accounts 400", "BAD_REQUEST")
    trace(meridian, response.headers["x-amz-cf-id"], *steps)
    page = httpx.get(f"{meridian.url}/premium/", timeout=60)
    steps = ("CloudFront GET /premium/", "EdgeAuthFunction (viewer-request) generated", "reason=")
    trace(meridian, page.headers["x-amz-cf-id"], *steps)


def test_unknown_id_is_refused_with_recent_requests(meridian: System) -> None:
    known = httpx.get(f"{meridian.url}/", timeout=60).headers["x-amz-cf-id"]
    evidence = command.collect(meridian.target, meridian.directory)
    for wanted, reason in (("", "ID is missing"), ("absent", "has the ID absent")):
        with pytest.raises(CommandError, match=reason) as caught:
            command.report(evidence, wanted)
        assert known in str(caught.value)
    assert "offset" in command.report(evidence, known)
