"""The school's API on the running system: what students do, through the one address."""

import json
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import boto3
import httpx
import pytest
from botocore.exceptions import ClientError

from tools.dev.system import System
from tools.sam import client

pytestmark = pytest.mark.integration

NOTE = 'O\'Brien said: "bring\\both"\n🎒 नमस्ते ${util} #set($x=1)'


class Visitor:
    """Somebody at the portal's address, signed in or not."""

    def __init__(self, system: System, token: str | None = None) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.http = httpx.Client(base_url=f"{system.url}/api", headers=headers, timeout=30)

    def ask(self, method: str, path: str, **given: Any) -> tuple[int, Any]:
        """Status and parsed body of an answer; what is no success must be a problem."""
        answer = self.http.request(method, path, **given)
        body: Any = answer.json() if answer.content.strip() else None
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json"
            assert body["status"] == answer.status_code
        else:
            assert "no-store" in answer.headers.get("cache-control", "no-store")
        return answer.status_code, body


@pytest.fixture
def paying(meridian: System) -> Iterator[Visitor]:
    with visitor(meridian, meridian.students[0].token) as it:
        yield it


@pytest.fixture
def new(meridian: System) -> Iterator[Visitor]:
    with visitor(meridian, meridian.students[1].token) as it:
        yield it


@pytest.fixture
def anybody(meridian: System) -> Iterator[Visitor]:
    with visitor(meridian) as it:
        yield it


@contextmanager
def visitor(system: System, token: str | None = None) -> Iterator[Visitor]:
    it = Visitor(system, token)
    with it.http:
        yield it


def an_advisor() -> str:
    return f"advisor-{uuid.uuid4().hex[:12]}"


def slot(advisor: str, hour: int = 9, **more: str) -> dict[str, str]:
    return {"advisorId": advisor, "start": f"2026-12-01T{hour:02}:30:00Z", **more}


def test_a_half_hour_is_booked_listed_cancelled_and_free_again(
    meridian: System, paying: Visitor, new: Visitor
) -> None:
    advisor = an_advisor()
    status, booked = paying.ask("POST", "/appointments", json=slot(advisor, note=NOTE))
    assert (status, booked["note"]) == (201, NOTE)
    assert booked["link"] == f"/api/appointments/{advisor}/2026-12-01T09:30:00Z"
    assert booked in paying.ask("GET", "/appointments")[1]["appointments"]
    assert booked not in new.ask("GET", "/appointments")[1]["appointments"]
    path = booked["link"].removeprefix("/api")
    # Not one's own is not there.
    assert new.ask("DELETE", path)[0] == 404
    assert paying.ask("DELETE", path) == (204, None)
    assert paying.ask("DELETE", path)[1]["code"] == "appointment_unknown"
    assert new.ask("POST", "/appointments", json=slot(advisor))[0] == 201
    item = row(meridian, "appointments", f"ADVISOR#{advisor}", "SLOT#2026-12-01T09:30:00Z")
    # Booked, cancelled, booked by somebody else: every change has counted, and left no note.
    assert item["version"] == {"N": "3"}
    assert item["origin_region"] == {"S": "us-east-1"}
    assert {"updated_at", "request_id", "student"} <= item.keys()
    assert "note" not in item


def row(system: System, table: str, pk: str, sk: str) -> dict[str, Any]:
    dynamodb = client("dynamodb", system.place)
    key = {"pk": {"S": pk}, "sk": {"S": sk}}
    item = dynamodb.get_item(TableName=f"meridian-local-{table}", Key=key, ConsistentRead=True)
    found: dict[str, Any] = item["Item"]
    return found


def test_of_many_students_one_gets_the_half_hour(paying: Visitor, new: Visitor) -> None:
    advisor = an_advisor()

    def book(visitor: Visitor) -> tuple[Visitor, int]:
        return visitor, visitor.ask("POST", "/appointments", json=slot(advisor))[0]

    with ThreadPoolExecutor(12) as pool:
        results = list(pool.map(book, [paying, new] * 12))
    winners = {visitor for visitor, status in results if status == 201}
    assert len(winners) == 1
    # Who has it may say so again: a lost answer costs nothing.
    assert {status for visitor, status in results if visitor in winners} == {201}
    assert {status for visitor, status in results if visitor not in winners} == {409}


def test_a_list_begins_where_it_is_told(paying: Visitor) -> None:
    advisor = an_advisor()
    for hour in (8, 9, 10):
        assert paying.ask("POST", "/appointments", json=slot(advisor, hour))[0] == 201
    since = {"from": "2026-12-01T09:30:00Z"}
    listed = paying.ask("GET", "/appointments", params=since)[1]["appointments"]
    ours = [it["start"] for it in listed if it["advisorId"] == advisor]
    assert ours == ["2026-12-01T09:30:00Z", "2026-12-01T10:30:00Z"]


def test_a_long_list_comes_in_pages(meridian: System, new: Visitor) -> None:
    advisor = an_advisor()
    for day in range(1, 22):
        for hour in (9, 10, 11, 12, 13):
            start = f"2027-01-{day:02}T{hour:02}:00:00Z"
            assert (
                new.ask("POST", "/appointments", json={"advisorId": advisor, "start": start})[0]
                == 201
            )
    first = new.ask("GET", "/appointments", params={"from": "2027-01-01T00:00:00Z"})[1]
    second = new.ask("GET", "/appointments", params={"from": first["next"]})[1]
    assert len(first["appointments"]) == 100
    starts = {it["start"] for page in (first, second) for it in page["appointments"]}
    assert len(starts) == 105
    assert "next" not in second


def test_a_profile_is_missing_then_put_then_replaced(anybody: Visitor, new: Visitor) -> None:
    assert anybody.ask("GET", "/profile")[0] == 401
    status, missing = new.ask("GET", "/profile")
    assert (status, missing["code"]) == (404, "profile_unknown")
    preferences = {
        "locale": "vi", "timeZone": "Asia/Ho_Chi_Minh", "displayName": "O'Brien \"Ng\\uyễn\" 🎓",
        "emailReminders": False, "interests": ["music", "science"],
    }  # fmt: skip
    assert new.ask("PUT", "/profile", json=preferences) == (200, preferences)
    assert new.ask("GET", "/profile") == (200, preferences)
    other = {"locale": "en", "timeZone": "UTC"}
    assert new.ask("PUT", "/profile", json=other) == (200, other)
    assert new.ask("GET", "/profile") == (200, other)


def test_feedback_waits_in_the_queue_with_who_sent_it(
    meridian: System, paying: Visitor, anybody: Visitor
) -> None:
    message = {"message": f"{NOTE} & = + % {uuid.uuid4()}", "topic": "lesson"}
    assert anybody.ask("POST", "/feedback", json=message)[0] == 401
    status, received = paying.ask("POST", "/feedback", json=message)
    assert status == 202
    found = [it for it in messages(meridian, "feedback") if json.loads(it["Body"]) == message]
    (one,) = found
    attributes = {name: it["StringValue"] for name, it in one["MessageAttributes"].items()}
    assert attributes["request_id"] == received["feedbackId"]
    assert str(uuid.UUID(attributes["student"])) == attributes["student"]


def messages(system: System, queue: str) -> Iterator[dict[str, Any]]:
    sqs = client("sqs", system.place)
    url = sqs.get_queue_url(QueueName=f"meridian-local-{queue}")["QueueUrl"]
    while found := sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
    ).get("Messages"):
        yield from found


@pytest.fixture
def as_the_api(meridian: System) -> Any:
    """DynamoDB, with the role of the API's integrations."""
    stack = client("cloudformation", meridian.place)
    nested = stack.describe_stack_resources(StackName=meridian.place.stack)["StackResources"]
    (school,) = [it["PhysicalResourceId"] for it in nested if it["LogicalResourceId"] == "School"]
    inside = stack.describe_stack_resources(StackName=school)["StackResources"]
    (role,) = [it["PhysicalResourceId"] for it in inside if it["LogicalResourceId"] == "ApiRole"]
    arn = client("iam", meridian.place).get_role(RoleName=role)["Role"]["Arn"]
    answer = httpx.post(
        f"{meridian.place.endpoint}/_local/service-role",
        params={"service": "apigateway.amazonaws.com", "role": arn},
    )
    key = answer.json()["Credentials"]
    return boto3.client(
        "dynamodb",
        region_name="us-east-1",
        endpoint_url=meridian.place.endpoint,
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
        aws_session_token=key["SessionToken"],
    )


def test_the_role_reads_of_a_request_only_what_it_tells(as_the_api: Any) -> None:
    """The rest of the row, or another row, is denied."""
    request: dict[str, Any] = {
        "TableName": "meridian-local-accounts",
        "Key": {"pk": {"S": "REQUEST#x"}, "sk": {"S": "REQUEST"}},
    }
    as_the_api.get_item(**request, ProjectionExpression="pk, reasons")
    for more in (dict[str, Any](), {"ProjectionExpression": "pk, email"}):
        with pytest.raises(ClientError, match="AccessDenied"):
            as_the_api.get_item(**request, **more)
    with pytest.raises(ClientError, match="AccessDenied"):
        as_the_api.scan(TableName="meridian-local-accounts")


def test_the_role_reads_of_a_live_minute_only_its_sums(as_the_api: Any) -> None:
    """Which pages were read, and from where, is denied."""
    minutes: dict[str, Any] = {
        "TableName": "meridian-local-live",
        "KeyConditionExpression": "board = :board",
        "ExpressionAttributeValues": {":board": {"S": "live"}},
    }
    as_the_api.query(**minutes, ProjectionExpression="board, slot, events, bots")
    for asked in ("slot, pages", "slot, countries", None):
        more = {"ProjectionExpression": asked} if asked else {}
        with pytest.raises(ClientError, match="AccessDenied"):
            as_the_api.query(**minutes, **more)


def test_the_same_request_has_the_same_answer_and_another_body_is_a_conflict(
    anybody: Visitor,
) -> None:
    request_id = str(uuid.uuid4())
    body = {
        "requestId": request_id,
        "email": f"o'brien+{request_id}@example.com",
        "name": "O'Brien",
    }
    first = anybody.ask("POST", "/accounts", json=body)
    link = f"/api/accounts/requests/{request_id}"
    assert first == (202, {"requestId": request_id, "status": "pending", "link": link})
    # The order in which a client writes the properties does not matter.
    turned = dict(reversed(body.items()))
    assert anybody.ask("POST", "/accounts", json=turned) == first
    status, conflict = anybody.ask("POST", "/accounts", json=body | {"name": "Somebody Else"})
    assert (status, conflict["code"]) == (409, "request_id_used")
    status, outcome = anybody.ask("GET", f"/accounts/requests/{request_id}")
    assert status == 200
    assert set(outcome) == {"requestId", "status", "reasons", "createdAt", "link"}
    assert anybody.ask("GET", f"/accounts/requests/{uuid.uuid4()}")[0] == 404


def test_the_session_of_a_page_of_ours_is_enough(meridian: System) -> None:
    """The cookie that edge_auth set, and the word of the browser: what a page's fetch sends."""
    token = meridian.students[0].token
    ours = {"Sec-Fetch-Site": "same-origin"}
    half = len(token) // 2
    chunks = (
        f"__Host-meridian-token=~2~{token[:half]}; theme=dark; "
        f"__Host-meridian-token.2={token[half:]}; __Host-meridian-refresh=x"
    )
    whole = f"__Host-meridian-token={token}"
    signed_out = (401, "signed_out")
    with httpx.Client(base_url=f"{meridian.url}/api", timeout=30) as http:

        def listed(**headers: str) -> tuple[int, str]:
            given = {name.replace("_", "-"): value for name, value in headers.items()}
            answer = http.get("/appointments", headers=given)
            return answer.status_code, answer.json().get("code", "")

        assert listed(Cookie=whole, **ours) == (200, "")
        assert listed(Cookie=chunks, **ours) == (200, "")
        assert listed(Cookie=chunks.replace("token.2", "token.3"), **ours) == signed_out
        assert listed(Cookie=whole) == signed_out
        for site in ("cross-site", "same-site", "none"):
            assert listed(Cookie=whole, Sec_Fetch_Site=site) == signed_out
        # A header of the client's own wins, good or bad.
        assert listed(Cookie=whole, Authorization="Bearer a.b.c", **ours) == signed_out
        assert listed(Cookie="__Host-meridian-token=a.b.c", Authorization=token, **ours) == (
            200,
            "",
        )
        # Who asks for an account may have an old session in the browser.
        unknown = http.get(f"/accounts/requests/{uuid.uuid4()}", headers={"Cookie": whole, **ours})
        assert unknown.json()["code"] == "request_unknown"


def test_live_minutes_are_told_to_who_is_signed_in(
    meridian: System, anybody: Visitor, new: Visitor
) -> None:
    since = {"since": "2026-01-01T00:00"}
    assert anybody.ask("GET", "/live", params=since)[0] == 401
    assert new.ask("GET", "/live")[1]["code"] == "parameters_invalid"
    status, told = new.ask("GET", "/live", params=since)
    assert status == 200
    assert all(set(it) == {"minute", "events", "bots"} for it in told["minutes"])
    assert new.ask("GET", "/live", params={"since": "yesterday"}) == (200, {"minutes": []})
