"""Tests for `origins`: which pages may send events to a source."""

import json

import pytest

from edge_ingest import settings
from edge_ingest.errors import SettingsError
from tests.unit.edge_ingest import harness

ALLOWED = ["https://school.example", "https://*.app.example", "http://localhost:8080", "file://"]


def send(origin: str | None, origins: list[str]) -> tuple[str, str, harness.Harness]:
    """Return the status and code of a request from a page, and the collector."""
    collector = harness.Harness(harness.settings_document(origins=origins))
    headers = {} if origin is None else {"Origin": origin}
    response = collector.send(body={"batch": [harness.track()]}, headers=headers)
    harness.assert_valid_response(response)
    return response["status"], json.loads(response["body"]).get("code", ""), collector


@pytest.mark.parametrize(
    "origin",
    ["https://school.example", "https://a.app.example", "https://a.b.app.example",
     "http://localhost:8080", "file://", None],
)  # fmt: skip
def test_listed_origin_and_sender_without_origin_are_accepted(origin: str | None) -> None:
    status, _, collector = send(origin, ALLOWED)
    assert status == "200"
    assert len(collector.streams.records) == 1


@pytest.mark.parametrize(
    "origin",
    ["http://school.example", "https://school.example:8443", "https://evil-school.example",
     "https://school.example.evil", "https://app.example", "https://.app.example",
     "https://evilapp.example", "http://a.app.example", "https://evil/.app.example", "null", ""],
)  # fmt: skip
def test_other_origin_is_refused_and_nothing_is_stored(origin: str) -> None:
    status, code, collector = send(origin, ALLOWED)
    assert (status, code) == ("403", "origin_not_allowed")
    assert not collector.streams.calls


@pytest.mark.parametrize("origin", ["null", "file://", "https://any.example", "app://x"])
def test_any_origin_is_accepted_by_default_and_can_read_the_response(origin: str) -> None:
    collector = harness.Harness()
    response = collector.send(body={"batch": [harness.track()]}, headers={"Origin": origin})
    assert response["status"] == "200"
    assert harness.header(response, "access-control-allow-origin") == origin


@pytest.mark.parametrize(
    "origin",
    ["school.example", "https://school.example/", "https://School.example", "https://", "*",
     "ftp://school.example", "https://*", "https://a.*.example", 7],
)  # fmt: skip
def test_entry_that_no_browser_sends_is_an_error(origin: object) -> None:
    with pytest.raises(SettingsError) as caught:
        settings.parse(harness.settings_document(origins=["null", origin]))
    assert caught.value.key == "sources[0].origins[1]"
