"""Events from CloudFront to the data lake, and access to the portal's pages."""

import base64
import socket
import uuid
from typing import Any

import httpx
import pytest

from tests.support.waiting import wait_until
from tests.system.draining import progress_shown, wait_until_drained
from tests.system.lake_rows import lake_rows
from tools.dev import system

pytestmark = pytest.mark.integration

#: The local batching window is one second.
STORED_WITHIN_S = 120


def post(running: system.System, path: str, body: object, key: str | None = None) -> httpx.Response:
    secret = base64.b64encode(f"{key or running.deployed.write_key}:".encode()).decode()
    headers = {"Authorization": f"Basic {secret}"}
    return httpx.post(f"{running.url}{path}", json=body, headers=headers, timeout=30)


def rows(running: system.System, where: str, lake: str | None = None) -> list[dict[str, Any]]:
    """Return the lake's rows that satisfy the SQL condition."""
    bucket = lake or running.deployed.outputs["LakeBucket"]
    return lake_rows(running.target, bucket).select(where)


def lake_region(lake: str | None) -> str | None:
    """Return the Region in the name of a regional lake bucket; None for the home Region's."""
    return None if lake is None else lake.partition("-000000000000-")[2]


def stored(
    running: system.System, where: str, count: int, lake: str | None = None
) -> list[dict[str, Any]]:
    """Wait until the lake has `count` rows and all sent records; return all matching rows."""
    with progress_shown(running):
        wait_until(
            lambda: len(rows(running, where, lake)) >= count,
            f"{count} rows where {where}",
            STORED_WITHIN_S,
            interval_s=0.5,
        )
    # Unexpected further rows would come from records that are in the stream now.
    wait_until_drained(running, lake_region(lake))
    return rows(running, where, lake)


def event(kind: str, visitor: str, /, **fields: object) -> dict[str, object]:
    common = {"type": kind, "messageId": str(uuid.uuid4()), "anonymousId": f"visitor-{visitor}"}
    return {**common, **fields}


@pytest.mark.parametrize("kind", ["page", "track", "identify"])
def test_single_event_becomes_one_good_row(meridian: system.System, kind: str) -> None:
    fields = {
        "page": {"name": "Lesson", "properties": {"path": "/lessons/1", "title": "O'Brien"}},
        "track": {"event": "Booked", "properties": {"advisor": "अनु", "price": 12.5}},
        "identify": {"userId": "u-1", "traits": {"locale": "hi-IN"}},
    }[kind]
    sent = event(kind, kind, **fields)
    answer = post(meridian, f"/v1/{kind}", sent)
    assert answer.status_code == 200, answer.text
    (row,) = stored(meridian, f"message_id = '{sent['messageId']}'", 1)
    assert row["verdict"] == "good"
    assert row["type"] == kind
    assert row["anonymous_id"] == sent["anonymousId"]
    if kind == "page":
        assert row["page_path"] == "/lessons/1"
        assert row["page_title"] == "O'Brien"


def test_batch_stores_accepted_and_rejected_events(meridian: system.System) -> None:
    good = [event("track", "batch", event=f"Step {n}") for n in range(3)]
    anonymous = {"type": "track", "event": "Anonymous", "messageId": str(uuid.uuid4())}
    answer = post(meridian, "/v1/batch", {"batch": [good[0], anonymous, good[1], good[2]]})
    assert answer.status_code == 200
    assert [it["index"] for it in answer.json()["rejected"]] == [1]
    ids = ", ".join(f"'{it['messageId']}'" for it in good)
    stored_rows = stored(meridian, f"message_id IN ({ids})", 3)
    assert [row["verdict"] for row in stored_rows] == ["good"] * 3
    (request,) = {row["request_id"] for row in stored_rows}
    bad = rows(meridian, f"request_id = '{request}' AND verdict = 'bad'")
    assert [row["reason_code"] for row in bad] == [answer.json()["rejected"][0]["code"]]


def test_repeated_batch_becomes_duplicate_rows(meridian: system.System) -> None:
    batch = {"batch": [event("page", "twice", properties={"path": f"/p{n}"}) for n in range(5)]}
    assert post(meridian, "/v1/batch", batch).status_code == 200
    ids = ", ".join(f"'{it['messageId']}'" for it in batch["batch"])
    stored(meridian, f"message_id IN ({ids})", 5)
    assert post(meridian, "/v1/batch", batch).status_code == 200
    stored_rows = stored(meridian, f"message_id IN ({ids})", 10)
    assert sorted(row["verdict"] for row in stored_rows) == ["duplicate"] * 5 + ["good"] * 5


def test_unknown_write_key_is_rejected_and_stores_nothing(meridian: system.System) -> None:
    sent = event("track", "unknown-key", event="Tried")
    answer = post(meridian, "/v1/track", sent, key="not-a-key")
    assert answer.status_code == 401
    assert {"code", "message"} <= answer.json().keys()
    assert stored(meridian, f"message_id = '{sent['messageId']}'", 0) == []


def get(running: system.System, path: str, token: str | None = None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.get(f"{running.url}{path}", headers=headers, timeout=30)


def test_only_the_paying_student_reads_a_paid_page(meridian: system.System) -> None:
    tokens = {student.paying: student.token for student in meridian.students}
    assert get(meridian, "/premium/").status_code == 401
    assert get(meridian, "/premium/", "no.token.atall").status_code == 401
    assert get(meridian, "/premium/", tokens[False]).status_code == 403
    answer = get(meridian, "/premium/", tokens[True])
    assert answer.status_code == 200
    assert "Lesson 1 of 3" in answer.text


def test_paid_page_rejects_each_method_without_a_token(meridian: system.System) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"):
        answer = httpx.request(method, f"{meridian.url}/premium/index.html", timeout=30)
        assert answer.status_code == 401, method


@pytest.mark.parametrize(
    "path",
    [
        "/premium%2findex.html",
        "/app%2Findex.html",
        "/premium%2Findex.html",
        "/premium%2f/index.html",
        "/%70remium/index.html",
        "//premium//index.html",
        "/x/../premium/index.html",
        "/members/premium/index.html",
        "/..%2fmembers%2fpremium%2findex.html",
        "/premium;/index.html",
        "/PREMIUM/index.html",
        "/v1/../premium/index.html",
    ],
)
def test_paid_page_rejects_each_encoding_of_its_path(meridian: system.System, path: str) -> None:
    """The test uses a socket, because HTTP clients normalise paths."""
    with socket.create_connection(("127.0.0.1", httpx.URL(meridian.url).port)) as connection:
        # Without a user agent, the web ACL would block the request.
        headers = "Host: localhost\r\nUser-Agent: test\r\nConnection: close"
        head = f"GET {path} HTTP/1.1\r\n{headers}\r\n\r\n"
        connection.sendall(head.encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    status = int(answer.split(b" ", 2)[1])
    assert status in {400, 401, 403, 404}, answer[:200]
    assert b"Lesson 1 of 3" not in answer
    assert b"You are signed in" not in answer


def test_portal_is_public(meridian: system.System) -> None:
    answer = get(meridian, "/")
    assert answer.status_code == 200
    assert "Meridian School" in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert get(meridian, "/no-such-page.html").status_code == 404
