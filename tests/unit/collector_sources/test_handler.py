"""The function of the sources: who may change what, and what its responses contain."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from collector_sources import aws_clients, handler
from collector_sources.errors import SuppressionKeyError
from edge_ingest.settings import parse_published
from signed_snapshot import fingerprint
from signed_snapshot.errors import SnapshotStoreError
from signed_snapshot.keyed import keyed_fingerprint
from signed_snapshot.publisher import Change

SECRET = "a secret"
PERSON = "asha@example.com"


@dataclass
class FakeAws:
    """The published sources, and the key of the suppressed persons."""

    content: dict[str, Any] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    is_down: bool = False
    has_key: bool = True
    sent: list[dict[str, object]] = field(default_factory=list)

    def publisher_of(self, name: str) -> "FakeAws":
        assert name == "sources"
        return self

    def update(self, change: Change, now: int) -> dict[str, Any]:
        if self.is_down:
            raise SnapshotStoreError("S3 is down.")
        self.content = change(self.content)
        self.calls.append("publish")
        return self.content

    def read(self) -> dict[str, Any]:
        return self.content

    def delete(self) -> None:
        self.calls.append("delete")

    def suppression_key(self) -> str:
        if not self.has_key:
            raise SuppressionKeyError("Can't read the parameter.")
        return SECRET

    def send(self, _url: str, document: dict[str, object]) -> None:
        self.sent.append(document)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> FakeAws:
    fake = FakeAws()
    monkeypatch.setattr(handler, "publisher_of", fake.publisher_of)
    monkeypatch.setattr(aws_clients, "suppression_key", fake.suppression_key)
    monkeypatch.setattr(handler, "send_response", fake.send)
    return fake


def invoke(event: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    result = handler.lambda_handler(event, None)
    body = result["body"]
    assert isinstance(body, dict)
    return int(str(result["status"])), body


def from_api(groups: str, request: dict[str, Any]) -> dict[str, Any]:
    return {"groups": groups, "request": json.dumps(request)}


def test_created_source_has_a_random_key_that_only_this_response_contains(aws: FakeAws) -> None:
    keys = []
    for name in ("shop", "blog"):
        status, body = invoke({"action": "create", "id": name})
        assert (status, body["effectiveWithinSeconds"]) == (200, 60)
        keys.append(body["writeKey"])
    assert len(set(keys)) == 2
    assert all(len(key) == 32 for key in keys)
    assert set(parse_published(aws.content["sources"])) == {
        fingerprint("write_key", key) for key in keys
    }
    status, body = invoke({"action": "list"})
    assert [source["id"] for source in body["sources"]] == ["blog", "shop"]
    assert not any(key in json.dumps(body) for key in keys)


def test_each_action_changes_the_published_sources(aws: FakeAws) -> None:
    invoke({"action": "create", "id": "shop"})
    _, body = invoke({"action": "rotate", "id": "shop"})
    assert body["sources"][0]["keys"] == 2
    _, body = invoke({"action": "retire", "id": "shop"})
    assert body["sources"][0]["keys"] == 1
    assert "writeKey" not in body
    _, body = invoke({"action": "disable", "id": "shop"})
    assert body["sources"][0]["enabled"] is False
    _, body = invoke({"action": "enable", "id": "shop"})
    assert body["sources"][0]["enabled"] is True
    settings = {"origins": ["https://shop.example"]}
    for sent in (settings, json.dumps(settings)):
        _, body = invoke({"action": "configure", "id": "shop", "settings": sent})
        assert body["sources"][0]["settings"] == settings
    _, body = invoke({"action": "remove", "id": "shop"})
    assert body["sources"] == []


def test_suppressed_person_is_published_as_keyed_fingerprint(aws: FakeAws) -> None:
    assert invoke({"action": "suppress", "person": PERSON})[1]["suppressed"] == 1
    assert aws.content["suppressed"] == [keyed_fingerprint(SECRET, PERSON)]
    assert invoke({"action": "release", "person": PERSON})[1]["suppressed"] == 0


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"action": "delete", "id": "shop"},
        {"action": ["list"]},
        {"action": "create"},
        {"action": "create", "id": 7},
        {"action": "create", "id": "a b"},
        {"action": "create", "id": "shop", "settings": "{"},
        {"action": "create", "id": "shop", "settings": "[1]"},
        {"action": "create", "id": "shop", "settings": {"privacy": {"ip": "keep"}}},
        {"action": "suppress"},
        {"action": "suppress", "person": ""},
        {"action": "suppress", "person": "x" * 513},
    ],
)
def test_invalid_request_changes_nothing(request_: dict[str, Any], aws: FakeAws) -> None:
    for event in (request_, from_api("staff", request_)):
        status, body = invoke(event)
        assert (status, body["code"]) == (400, "invalid_request")
    assert aws.calls == []


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        ({"action": "rotate", "id": "shop"}, 404, "unknown_source"),
        ({"action": "remove", "id": "portal"}, 409, "source_conflict"),
    ],
)
def test_refused_change_has_its_status(
    request_: dict[str, Any], status: int, code: str, aws: FakeAws
) -> None:
    handler.lambda_handler(CREATE, None)
    answer, body = invoke(request_)
    assert (answer, body["code"]) == (status, code)


@pytest.mark.parametrize("groups", ["", "paying", "staffs", "not staff"])
def test_caller_of_the_api_must_be_staff(groups: str, aws: FakeAws) -> None:
    for action in ("list", "create"):
        status, body = invoke(from_api(groups, {"action": action, "id": "shop"}))
        assert (status, body["code"]) == (403, "not_staff")
    assert aws.calls == []


def test_response_to_the_api_has_the_body_as_text(aws: FakeAws) -> None:
    result = handler.lambda_handler(from_api("staff", {"action": "create", "id": "shop"}), None)
    assert json.loads(str(result["text"])) == result["body"]


def test_body_of_the_api_can_not_replace_groups(aws: FakeAws) -> None:
    assert invoke(from_api("", {"action": "list", "groups": "staff"}))[0] == 403


def test_failures_are_503_and_change_nothing(aws: FakeAws) -> None:
    aws.has_key = False
    assert invoke({"action": "suppress", "person": PERSON})[0] == 503
    aws.is_down = True
    assert invoke({"action": "create", "id": "shop"}) == (
        503,
        {"code": "snapshot_store", "detail": "S3 is down."},
    )
    assert aws.content == {}


def test_log_contains_no_person_and_no_key(
    aws: FakeAws, capsys: pytest.CaptureFixture[str]
) -> None:
    key = invoke({"action": "create", "id": "shop"})[1]["writeKey"]
    invoke(from_api("staff", {"action": "suppress", "person": PERSON}))
    text = capsys.readouterr().out
    assert key not in text
    assert PERSON not in text
    assert json.loads(text.splitlines()[0]) == {"action": "create", "status": 200, "code": None}


CREATE: dict[str, Any] = {
    "RequestType": "Create",
    "StackId": "s",
    "RequestId": "r",
    "LogicalResourceId": "SourceList",
    "ResponseURL": "https://example.com/",
    "ResourceType": "Custom::SourceList",
    "ResourceProperties": {"Sources": '[{"id": "portal", "write_key": "portal-key"}]'},
}


def test_deployment_publishes_its_sources(aws: FakeAws) -> None:
    invoke({"action": "create", "id": "shop"})
    handler.lambda_handler(CREATE, None)
    handler.lambda_handler(CREATE | {"RequestType": "Update", "PhysicalResourceId": "x"}, None)
    for sent in aws.sent:
        assert sent["Status"] == "SUCCESS", sent
        assert sent["PhysicalResourceId"] == "sources"
    assert {source["id"] for source in aws.content["sources"]} == {"portal", "shop"}


@pytest.mark.parametrize("sources", ["[", "{}", "[1]", '[{"id": "portal"}]'])
def test_deployment_with_invalid_sources_fails_and_changes_nothing(
    sources: str, aws: FakeAws
) -> None:
    handler.lambda_handler(CREATE | {"ResourceProperties": {"Sources": sources}}, None)
    assert aws.sent[0]["Status"] == "FAILED"
    assert aws.content == {}


DELETE = CREATE | {"RequestType": "Delete", "PhysicalResourceId": "sources"}


def test_failed_first_deployment_deletes_the_list(aws: FakeAws) -> None:
    """Its bucket may be retained, and the next first deployment refuses one with data."""
    handler.lambda_handler(CREATE, None)
    handler.lambda_handler(DELETE, None)
    assert aws.calls == ["publish", "delete"]


@pytest.mark.parametrize(
    "change",
    [
        {"action": "create", "id": "shop"},
        {"action": "disable", "id": "portal"},
        {"action": "suppress", "person": PERSON},
    ],
)
def test_deleted_stack_keeps_a_list_that_a_request_has_changed(
    change: dict[str, Any], aws: FakeAws
) -> None:
    handler.lambda_handler(CREATE, None)
    assert invoke(change)[0] == 200
    handler.lambda_handler(DELETE, None)
    assert "delete" not in aws.calls
    assert aws.sent[-1]["Status"] == "SUCCESS"
