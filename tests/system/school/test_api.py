"""Tests of the school API on the running system, through CloudFront."""

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

from tests.support.advisors import new_advisor, start_in
from tools.dev.system import System
from tools.stack import client

pytestmark = pytest.mark.integration

NOTE = 'O\'Brien said: "bring\\both"\n🎒 नमस्ते ${util} #set($x=1)'


class ApiClient:
    """A client of the portal's API, with or without a token."""

    def __init__(self, system: System, token: str | None = None) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.http = httpx.Client(base_url=f"{system.url}/api", headers=headers, timeout=30)

    def send(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        """Return the status and the parsed body of a response. Every error must be a problem."""
        response = self.http.request(method, path, **options)
        body: Any = response.json() if response.content.strip() else None
        if response.status_code >= 400:
            assert response.headers["content-type"] == "application/problem+json"
            assert body["status"] == response.status_code
        else:
            assert "no-store" in response.headers.get("cache-control", "no-store")
        return response.status_code, body


@pytest.fixture
def paying(meridian: System) -> Iterator[ApiClient]:
    with api_client(meridian, meridian.students[0].token) as api:
        yield api


@pytest.fixture
def new(meridian: System) -> Iterator[ApiClient]:
    with api_client(meridian, meridian.students[1].token) as api:
        yield api


@pytest.fixture
def anonymous(meridian: System) -> Iterator[ApiClient]:
    with api_client(meridian) as api:
        yield api


@contextmanager
def api_client(system: System, token: str | None = None) -> Iterator[ApiClient]:
    client_of_api = ApiClient(system, token)
    with client_of_api.http:
        yield client_of_api


def slot(advisor: str, hour: int = 9, **more: str) -> dict[str, str]:
    return {"advisorId": advisor, "start": start_in(3, hour * 60 + 30), **more}


def test_appointment_is_booked_listed_cancelled_and_booked_again(
    meridian: System, paying: ApiClient, new: ApiClient
) -> None:
    advisor = new_advisor(meridian)
    status, booked = paying.send("POST", "/appointments", json=slot(advisor, note=NOTE))
    assert (status, booked["note"]) == (201, NOTE)
    assert booked["link"] == f"/api/appointments/{advisor}/{start_in(3)}"
    assert booked in paying.send("GET", "/appointments")[1]["appointments"]
    assert booked not in new.send("GET", "/appointments")[1]["appointments"]
    path = booked["link"].removeprefix("/api")
    # Another student's appointment returns 404.
    assert new.send("DELETE", path)[0] == 404
    assert paying.send("DELETE", path) == (204, None)
    assert paying.send("DELETE", path)[1]["code"] == "appointment_unknown"
    assert new.send("POST", "/appointments", json=slot(advisor))[0] == 201
    item = row(meridian, "appointments", f"ADVISOR#{advisor}", f"SLOT#{start_in(3)}")
    # Each of the three changes increments the version, and the cancellation removes the note.
    assert item["version"] == {"N": "3"}
    assert item["origin_region"] == {"S": "us-east-1"}
    assert {"updated_at", "request_id", "student"} <= item.keys()
    assert "note" not in item


def row(system: System, table: str, pk: str, sk: str) -> dict[str, Any]:
    dynamodb = client("dynamodb", system.target)
    key = {"pk": {"S": pk}, "sk": {"S": sk}}
    item = dynamodb.get_item(TableName=f"meridian-local-{table}", Key=key, ConsistentRead=True)
    attributes: dict[str, Any] = item["Item"]
    return attributes


@pytest.mark.parametrize("name", ["nobody-at-all", "0", "a" * 40])
def test_advisor_whom_the_school_has_not_registered_is_not_booked(
    meridian: System, new: ApiClient, name: str
) -> None:
    status, problem = new.send("POST", "/appointments", json=slot(name))
    assert (status, problem["code"]) == (404, "advisor_unknown")
    booking = slot(new_advisor(meridian))
    status, booked = new.send("POST", "/appointments", json=booking)
    assert status == 201
    path = booked["link"].removeprefix("/api")
    status, problem = new.send("PUT", path, json=slot(name))
    assert (status, problem["code"]) == (404, "advisor_unknown")
    listed = new.send("GET", "/appointments")[1]["appointments"]
    assert booked in listed
    assert name not in {it["advisorId"] for it in listed}


def test_appointment_of_an_earlier_version_is_listed_and_cancelled(
    meridian: System, new: ApiClient
) -> None:
    """It has an advisor whom the school hasn't registered."""
    booking = slot(new_advisor(meridian))
    booked = new.send("POST", "/appointments", json=booking)[1]
    item = row(
        meridian, "appointments", f"ADVISOR#{booking['advisorId']}", f"SLOT#{booking['start']}"
    )
    earlier = f"earlier-{uuid.uuid4().hex[:8]}"
    for name in ("minutes", "cancel_until", "calendar_id", "calendar_revision"):
        del item[name]
    for hour in (9, 10):
        sk = f"SLOT#{slot(earlier, hour)['start']}"
        client("dynamodb", meridian.target).put_item(
            TableName="meridian-local-appointments",
            Item=item | {"pk": {"S": f"ADVISOR#{earlier}"}, "sk": {"S": sk}},
        )
    listed = new.send("GET", "/appointments")[1]["appointments"]
    links = [it["link"] for it in listed if it["advisorId"] == earlier]
    assert len(links) == 2
    assert new.send("DELETE", links[0].removeprefix("/api")) == (204, None)
    target = slot(booking["advisorId"], 12)
    assert new.send("PUT", links[1].removeprefix("/api"), json=target)[0] == 200
    listed = new.send("GET", "/appointments")[1]["appointments"]
    assert earlier not in {it["advisorId"] for it in listed}
    assert booked in listed


def test_concurrent_bookings_have_one_winner(
    meridian: System, paying: ApiClient, new: ApiClient
) -> None:
    advisor = new_advisor(meridian)

    def book(student: ApiClient) -> tuple[ApiClient, int]:
        status, _ = student.send("POST", "/appointments", json=slot(advisor))
        # Transactions that conflict for too long are answered 503: send the request again.
        return book(student) if status == 503 else (student, status)

    with ThreadPoolExecutor(12) as pool:
        results = list(pool.map(book, [paying, new] * 12))
    winners = {student for student, status in results if status == 201}
    assert len(winners) == 1
    # Booking is idempotent, so the winner can repeat the request after a lost response.
    assert {status for student, status in results if student in winners} == {201}
    assert {status for student, status in results if student not in winners} == {409}


def test_list_starts_at_from_parameter(meridian: System, paying: ApiClient) -> None:
    advisor = new_advisor(meridian)
    for hour in (8, 9, 10):
        assert paying.send("POST", "/appointments", json=slot(advisor, hour))[0] == 201
    since = {"from": start_in(3)}
    listed = paying.send("GET", "/appointments", params=since)[1]["appointments"]
    starts = [it["start"] for it in listed if it["advisorId"] == advisor]
    assert starts == [start_in(3), start_in(3, 630)]


def test_long_list_of_equal_times_is_paginated(meridian: System, new: ApiClient) -> None:
    start = start_in(300)
    booking = {"advisorId": new_advisor(meridian), "start": start}
    assert new.send("POST", "/appointments", json=booking)[0] == 201
    item = row(meridian, "appointments", f"ADVISOR#{booking['advisorId']}", f"SLOT#{start}")
    advisors = {booking["advisorId"]} | {f"equal-{number:03}" for number in range(104)}
    for advisor in advisors:
        client("dynamodb", meridian.target).put_item(
            TableName="meridian-local-appointments", Item=item | {"pk": {"S": f"ADVISOR#{advisor}"}}
        )
    first = new.send("GET", "/appointments", params={"from": start})[1]
    second = new.send("GET", "/appointments", params={"after": first["next"]})[1]
    assert len(first["appointments"]) == 100
    listed = [it["advisorId"] for page in (first, second) for it in page["appointments"]]
    assert sorted(listed) == sorted(advisors)
    assert "next" not in second


@pytest.mark.parametrize(
    ("path", "query"),
    [("/appointments", "from=tomorrow"), ("/appointments", "after=2027-01-04T09:00:00Z"),
     ("/live", "since=now")],
)  # fmt: skip
def test_invalid_parameter_is_rejected(new: ApiClient, path: str, query: str) -> None:
    status, problem = new.send("GET", f"{path}?{query}")
    assert (status, problem["code"]) == (400, "parameters_invalid")


def test_second_text_for_a_time_is_rejected(new: ApiClient) -> None:
    booking = {"advisorId": "asha-menon", "start": "2027-02-29T11:00:00Z"}
    status, problem = new.send("POST", "/appointments", json=booking)
    assert (status, problem["code"]) == (400, "body_invalid")


@pytest.mark.parametrize(("method", "path"), [("PATCH", "/profile"), ("PUT", "/appointments")])
def test_unknown_method_returns_405(new: ApiClient, method: str, path: str) -> None:
    status, problem = new.send(method, path)
    assert (status, problem["code"]) == (405, "method_unknown")


def test_profile_is_created_and_replaced(anonymous: ApiClient, new: ApiClient) -> None:
    assert anonymous.send("GET", "/profile")[0] == 401
    status, missing = new.send("GET", "/profile")
    assert (status, missing["code"]) == (404, "profile_unknown")
    preferences = {
        "locale": "vi", "timeZone": "Asia/Ho_Chi_Minh", "displayName": "O'Brien \"Ng\\uyễn\" 🎓",
        "emailReminders": False, "interests": ["music", "science"],
    }  # fmt: skip
    assert new.send("PUT", "/profile", json=preferences) == (200, preferences)
    assert new.send("GET", "/profile") == (200, preferences)
    other = {"locale": "en", "timeZone": "UTC"}
    assert new.send("PUT", "/profile", json=other) == (200, other)
    assert new.send("GET", "/profile") == (200, other)


def test_feedback_message_names_its_sender(
    meridian: System, paying: ApiClient, anonymous: ApiClient
) -> None:
    message = {"message": f"{NOTE} & = + % {uuid.uuid4()}", "topic": "lesson"}
    assert anonymous.send("POST", "/feedback", json=message)[0] == 401
    status, received = paying.send("POST", "/feedback", json=message)
    assert status == 202
    own_messages = [
        it for it in messages(meridian, "feedback") if json.loads(it["Body"]) == message
    ]
    (one,) = own_messages
    attributes = {name: it["StringValue"] for name, it in one["MessageAttributes"].items()}
    assert attributes["request_id"] == received["feedbackId"]
    assert str(uuid.UUID(attributes["student"])) == attributes["student"]


def messages(system: System, queue: str) -> Iterator[dict[str, Any]]:
    sqs = client("sqs", system.target)
    url = sqs.get_queue_url(QueueName=f"meridian-local-{queue}")["QueueUrl"]
    while received := sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
    ).get("Messages"):
        yield from received


@pytest.fixture
def api_role_dynamodb(meridian: System) -> Any:
    """A DynamoDB client with the credentials of the API's integration role."""
    stack = client("cloudformation", meridian.target)
    nested = stack.describe_stack_resources(StackName=meridian.target.stack_name)["StackResources"]
    (school,) = [it["PhysicalResourceId"] for it in nested if it["LogicalResourceId"] == "School"]
    inside = stack.describe_stack_resources(StackName=school)["StackResources"]
    (role,) = [it["PhysicalResourceId"] for it in inside if it["LogicalResourceId"] == "ApiRole"]
    arn = client("iam", meridian.target).get_role(RoleName=role)["Role"]["Arn"]
    response = httpx.post(
        f"{meridian.target.endpoint}/_local/service-role",
        params={"service": "apigateway.amazonaws.com", "role": arn},
    )
    key = response.json()["Credentials"]
    return boto3.client(
        "dynamodb",
        region_name="us-east-1",
        endpoint_url=meridian.target.endpoint,
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
        aws_session_token=key["SessionToken"],
    )


def test_role_reads_allowed_attributes_of_account_request_only(api_role_dynamodb: Any) -> None:
    """Reading other attributes or scanning the table is denied."""
    request: dict[str, Any] = {
        "TableName": "meridian-local-accounts",
        "Key": {"pk": {"S": "REQUEST#x"}, "sk": {"S": "REQUEST"}},
    }
    api_role_dynamodb.get_item(**request, ProjectionExpression="pk, reasons")
    for more in (dict[str, Any](), {"ProjectionExpression": "pk, email"}):
        with pytest.raises(ClientError, match="AccessDenied"):
            api_role_dynamodb.get_item(**request, **more)
    with pytest.raises(ClientError, match="AccessDenied"):
        api_role_dynamodb.scan(TableName="meridian-local-accounts")


def test_role_reads_sums_of_live_minute_only(api_role_dynamodb: Any) -> None:
    """Reading pages and countries is denied."""
    minutes: dict[str, Any] = {
        "TableName": "meridian-local-live",
        "KeyConditionExpression": "board = :board",
        "ExpressionAttributeValues": {":board": {"S": "live"}},
    }
    api_role_dynamodb.query(**minutes, ProjectionExpression="board, slot, events, bots")
    for asked in ("slot, pages", "slot, countries", None):
        more = {"ProjectionExpression": asked} if asked else {}
        with pytest.raises(ClientError, match="AccessDenied"):
            api_role_dynamodb.query(**minutes, **more)


def test_repeated_account_request_has_same_response_and_changed_one_conflicts(
    anonymous: ApiClient,
) -> None:
    request_id = str(uuid.uuid4())
    body = {
        "requestId": request_id,
        "email": f"o'brien+{request_id}@example.com",
        "name": "O'Brien",
    }
    first = anonymous.send("POST", "/accounts", json=body)
    link = f"/api/accounts/requests/{request_id}"
    assert first == (202, {"requestId": request_id, "status": "pending", "link": link})
    # The order of the properties doesn't matter.
    reordered = dict(reversed(body.items()))
    assert anonymous.send("POST", "/accounts", json=reordered) == first
    status, conflict = anonymous.send("POST", "/accounts", json=body | {"name": "Another Name"})
    assert (status, conflict["code"]) == (409, "request_id_used")
    status, outcome = anonymous.send("GET", f"/accounts/requests/{request_id}")
    assert status == 200
    assert set(outcome) == {"requestId", "status", "reasons", "createdAt", "link"}
    assert anonymous.send("GET", f"/accounts/requests/{uuid.uuid4()}")[0] == 404


def test_session_cookie_of_portal_page_authorizes_request(meridian: System) -> None:
    """A page's fetch sends the cookie that edge_auth set, and Sec-Fetch-Site."""
    token = meridian.students[0].token
    same_origin = {"Sec-Fetch-Site": "same-origin"}
    half = len(token) // 2
    chunks = (
        f"__Host-meridian-token=~2~{token[:half]}; theme=dark; "
        f"__Host-meridian-token.2={token[half:]}; __Host-meridian-refresh=x"
    )
    whole = f"__Host-meridian-token={token}"
    signed_out = (401, "signed_out")
    with httpx.Client(base_url=f"{meridian.url}/api", timeout=30) as http:

        def listed(**headers: str) -> tuple[int, str]:
            header_pairs = {name.replace("_", "-"): value for name, value in headers.items()}
            response = http.get("/appointments", headers=header_pairs)
            return response.status_code, response.json().get("code", "")

        assert listed(Cookie=whole, **same_origin) == (200, "")
        assert listed(Cookie=chunks, **same_origin) == (200, "")
        assert listed(Cookie=chunks.replace("token.2", "token.3"), **same_origin) == signed_out
        assert listed(Cookie=whole) == signed_out
        for site in ("cross-site", "same-site", "none"):
            assert listed(Cookie=whole, Sec_Fetch_Site=site) == signed_out
        # The client's Authorization header overrides the cookie, valid or not.
        assert listed(Cookie=whole, Authorization="Bearer a.b.c", **same_origin) == signed_out
        assert listed(Cookie="__Host-meridian-token=a.b.c", Authorization=token, **same_origin) == (
            200,
            "",
        )
        # A public operation ignores an old session cookie.
        unknown = http.get(
            f"/accounts/requests/{uuid.uuid4()}", headers={"Cookie": whole, **same_origin}
        )
        assert unknown.json()["code"] == "request_unknown"


def test_live_minutes_require_token(meridian: System, anonymous: ApiClient, new: ApiClient) -> None:
    since = {"since": "2026-01-01T00:00"}
    assert anonymous.send("GET", "/live", params=since)[0] == 401
    assert new.send("GET", "/live")[1]["code"] == "parameters_invalid"
    status, returned = new.send("GET", "/live", params=since)
    assert status == 200
    assert all(set(it) == {"minute", "events", "bots"} for it in returned["minutes"])
