"""The function as Lambda calls it: real events, a broken world, and what it writes."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_auth import decision, handler
from edge_auth.responses import Outcome
from tests.support.paths import ROOT
from tests.unit.edge_auth import issuer, legal
from tests.unit.edge_auth.events import PAGE, viewer_request

EVENTS = ROOT / "events" / "edge_auth"
CLOUDFRONT = ROOT.parent / "shared" / "fixtures" / "cloudfront_events"


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """settings.json as edge_settings puts it beside the package."""
    path = tmp_path / "settings.json"
    path.write_text(json.dumps(issuer.settings()))
    monkeypatch.setattr(handler, "SETTINGS", str(path))
    handler.gate.cache_clear()
    yield path
    handler.gate.cache_clear()


def call(event: object) -> Any:
    return handler.lambda_handler(event, None)


@pytest.mark.parametrize(
    ("case", "status"),
    [
        ("premium-anonymous-page", "303"),
        ("premium-anonymous-fetch", "401"),
        ("premium-broken-bearer", "401"),
        ("premium-hidden-path", "401"),
        ("app-post-anonymous", "401"),
        ("public-page", None),
        ("api-from-our-page", None),
    ],
)
def test_our_events(published: Path, case: str, status: str | None) -> None:
    event = json.loads((EVENTS / f"{case}.json").read_text())
    result = call(event)
    assert result.get("status") == status
    legal.check(result, event)


def test_every_event_has_its_expectation() -> None:
    (mark,) = (it for it in getattr(test_our_events, "pytestmark", []) if it.name == "parametrize")
    assert {path.stem for path in EVENTS.glob("*.json")} == {case for case, _ in mark.args[1]}


def test_a_changed_event_loses_the_forged_identity(published: Path) -> None:
    event = json.loads((EVENTS / "public-page.json").read_text())
    result = call(event)
    assert result["uri"] == "/courses/index.html"
    assert "x_meridian_subject" not in result["headers"]
    assert result["headers"]["cookie"][0]["value"] == "theme=dark"


def test_our_pages_event_reaches_the_api_with_its_token_and_no_cookie(published: Path) -> None:
    result = call(json.loads((EVENTS / "api-from-our-page.json").read_text()))
    assert result["headers"]["authorization"][0]["value"] == "Bearer a.cookie.value"
    assert "cookie" not in result["headers"]


@pytest.mark.shared
@pytest.mark.skipif(
    not CLOUDFRONT.is_dir(), reason="THE CLOUDFRONT EVENTS ARE NOT BESIDE THE REPOSITORY"
)
def test_documented_and_generated_events(published: Path) -> None:
    for path in sorted(CLOUDFRONT.glob("*.json")):
        event = json.loads(path.read_text())
        legal.check(call(event), event)


@pytest.mark.parametrize("content", [None, "", "[]", "{", '{"schema": 1}'])
def test_without_good_settings_the_door_stays_closed(published: Path, content: str | None) -> None:
    if content is None:
        published.unlink()
    else:
        published.write_text(content)
    result = call(viewer_request("/public.html"))
    assert result["status"] == "500"
    problem = json.loads(result["body"])
    assert (problem["reason"], problem["code"]) == ("unavailable", "settings_invalid")
    assert problem["request_id"]


def test_a_fault_of_ours_is_a_500_and_only_its_type_is_logged(
    published: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> Outcome:
        raise ZeroDivisionError("the token was eyJ-secret")

    monkeypatch.setattr(decision, "_decide", broken)
    event = viewer_request("/premium/x", headers=PAGE)
    result = call(event)
    legal.check(result, event)
    assert result["status"] == "500"
    assert result["headers"]["x-meridian-request-id"][0]["value"] in result["body"]
    written = capsys.readouterr().out
    assert json.loads(written)["error"] == "ZeroDivisionError"
    assert "secret" not in written + result["body"]


ODD_REQUESTS: list[Any] = [
    7,
    {},
    {"uri": 7},
    {"uri": "/x", "method": 7},
    {"uri": "/x", "headers": 7},
    {"uri": "/x", "headers": {"host": 7}},
    {"uri": "/x", "headers": {"host": [7]}},
    {"uri": "/x", "headers": {"host": [{}]}},
    {"uri": "/x", "headers": {"accept": [{"key": "Accept", "value": 7}]}},
]


@pytest.mark.parametrize("request_", ODD_REQUESTS)
def test_what_is_no_request_is_refused(published: Path, request_: object) -> None:
    assert call({"Records": [{"cf": {"request": request_}}]})["status"] == "400"


@pytest.mark.parametrize("event", [None, {}, {"Records": []}, {"Records": [{"cf": None}]}])
def test_what_is_no_event_is_refused(published: Path, event: object) -> None:
    assert call(event)["status"] == "400"


def test_when_even_the_failure_cannot_be_understood_the_door_stays_closed(
    published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("edge_auth.request.Request.__init__", broken)
    assert call(viewer_request())["status"] == "500"


def test_a_line_per_request_without_anything_of_the_visitor(
    published: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    token = issuer.token(issuer.access_claims(sub="subject-of-the-token", username="a-name"))
    headers = {"Authorization": f"Bearer {token}", "Referer": "https://secret.example/"}
    cookies = {"__Host-meridian-token": "cookie-of-the-visitor"}
    for uri in ("/premium/secret-page", "/app/%zz", "/", "/auth/session"):
        for sent in (headers, {}, {"Authorization": "Bearer a.b.c"}):
            event = viewer_request(uri, query="secret=query", headers=sent, cookies=cookies)
            call(event)
    lines = capsys.readouterr().out.strip().splitlines()
    assert len(lines) == 12
    for line in lines:
        entry = json.loads(line)
        assert entry["reason"] in {"passed", "anonymous", "invalid", "bad_request", "expired"}
        assert entry["request_id"]
        assert set(entry) <= {"level", "message", "reason", "code", "status", "rule", "request_id"}
        assert not re.search("secret|eyJ|subject|a-name|visitor|203.0.113", line)


def test_the_gate_is_made_once(published: Path) -> None:
    call(viewer_request())
    first = handler.gate()
    call(viewer_request())
    assert handler.gate() is first
