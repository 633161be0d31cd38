"""Page events: the Segment Spec's fields, and pseudonymous visitors."""

import json
import uuid
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from tools.replay.batches import Batch
from tools.replay.combined_log_format import Request
from tools.replay.delivery import headers_of
from tools.replay.events import MAX_USER_AGENT_BYTES, EventMaker, Visitor
from tools.tests.strategies import log_requests

MAKER = EventMaker(site="https://school.example/", digest="ab" * 32, salt=b"one")
REQUEST = Request(
    "192.0.2.7", "192.0.2.7", datetime(2015, 5, 17, 10, 5, 3, tzinfo=UTC), "GET", "/a", "?b=c",
    200, 42, "https://school.example/", "Mozilla/5.0",
)  # fmt: skip


def test_page_event_has_the_fields_of_the_spec() -> None:
    event = json.loads(MAKER.page_view(7, REQUEST).body)

    page = {
        "path": "/a",
        "url": "https://school.example/a?b=c",
        "referrer": "https://school.example/",
        "search": "?b=c",
    }
    assert event.pop("anonymousId") == MAKER.page_view(8, REQUEST).visitor.anonymous_id
    assert event == {
        "type": "page",
        "messageId": "ab" * 12 + "-00000007",
        "timestamp": "2015-05-17T10:05:03.000Z",
        "properties": {**page, "method": "GET", "status": 200, "bytes": 42},
        "context": {
            "page": page,
            "userAgent": "Mozilla/5.0",
            "library": {"name": "meridian-replay", "version": "1.0.0"},
        },
    }


@given(log_requests(), st.binary(max_size=32), st.binary(max_size=32))
def test_anonymous_id_depends_on_the_salt(request_: Request, salt: bytes, other: bytes) -> None:
    one = EventMaker(site="https://s.example", digest="0" * 64, salt=salt).page_view(1, request_)
    same = EventMaker(site="https://s.example", digest="0" * 64, salt=salt).page_view(2, request_)
    next_run = EventMaker(site="https://s.example", digest="0" * 64, salt=other).page_view(
        1, request_
    )

    assert one.visitor.anonymous_id == same.visitor.anonymous_id
    assert (one.visitor.anonymous_id == next_run.visitor.anonymous_id) == (
        salt.rstrip(b"\0") == other.rstrip(b"\0")  # RFC 2104 §2: a key is padded with zeros
    )
    # The report compares message ids, which are the same in each run.
    assert one.message_id == next_run.message_id
    name = uuid.UUID(one.visitor.anonymous_id)
    assert (name.version, name.variant) == (8, uuid.RFC_4122)


@given(st.ip_addresses().map(str).filter(lambda address: len(address) > 6))
def test_event_contains_no_ip_address(address: str) -> None:
    request = REQUEST._replace(client=address, address=address)

    assert address not in MAKER.page_view(1, request).body


@given(log_requests())
def test_headers_contain_the_address_and_the_user_agent(request_: Request) -> None:
    view = MAKER.page_view(1, request_)
    headers = headers_of(Batch(view.visitor, (view,)), "Basic x")

    assert headers.get("X-Local-Viewer-Address") == request_.address
    assert headers["User-Agent"].isascii()
    assert headers["User-Agent"].isprintable()


def test_user_agent_header_is_truncated_to_its_limit() -> None:
    longest = Visitor("", None, "a" * MAX_USER_AGENT_BYTES)
    longer = Visitor("", None, "a" * (MAX_USER_AGENT_BYTES + 1))

    assert longest.agent_header == longest.agent
    assert longer.agent_header == longest.agent
