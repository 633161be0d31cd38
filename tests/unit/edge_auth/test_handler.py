"""The Lambda handler: sample events, invalid settings, unexpected errors and the log line."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_auth import authorization, handler
from edge_auth.responses import Outcome
from tests.support.paths import ROOT
from tests.unit.edge_auth import cloudfront_rules, issuer
from tests.unit.edge_auth.viewer_events import NAVIGATION_HEADERS, viewer_request

EVENTS = ROOT / "events" / "edge_auth"
CLOUDFRONT = ROOT.parent / "shared" / "fixtures" / "cloudfront_events"


@pytest.fixture
def settings_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Write settings.json beside the package, as edge_settings does."""
    path = tmp_path / "settings.json"
    path.write_text(json.dumps(issuer.settings()))
    monkeypatch.setattr(handler, "SETTINGS_PATH", str(path))
    handler.auth_context.cache_clear()
    yield path
    handler.auth_context.cache_clear()


def call(event: object) -> Any:
    return handler.lambda_handler(event, None)


@pytest.mark.parametrize(
    ("case", "status"),
    [
        ("premium-anonymous-page", "303"),
        ("premium-anonymous-fetch", "401"),
        ("premium-broken-bearer", "401"),
        ("premium-hidden-path", "403"),
        ("app-post-anonymous", "401"),
        ("public-page", None),
        ("page-missing", "404"),
        ("api-from-our-page", None),
    ],
)
def test_sample_event_gives_expected_status(
    settings_file: Path, case: str, status: str | None
) -> None:
    event = json.loads((EVENTS / f"{case}.json").read_text())
    result = call(event)
    assert result.get("status") == status
    cloudfront_rules.assert_valid_result(result, event)


def test_every_sample_event_has_expected_status() -> None:
    (mark,) = (
        it
        for it in getattr(test_sample_event_gives_expected_status, "pytestmark", [])
        if it.name == "parametrize"
    )
    assert {path.stem for path in EVENTS.glob("*.json")} == {case for case, _ in mark.args[1]}


def test_forged_identity_header_is_removed(settings_file: Path) -> None:
    event = json.loads((EVENTS / "public-page.json").read_text())
    result = call(event)
    assert result["uri"] == "/courses/index.html"
    assert "x_meridian_subject" not in result["headers"]
    assert result["headers"]["cookie"][0]["value"] == "theme=dark"


def test_same_origin_event_reaches_api_with_token_and_no_cookie(settings_file: Path) -> None:
    result = call(json.loads((EVENTS / "api-from-our-page.json").read_text()))
    assert result["headers"]["authorization"][0]["value"] == "Bearer a.cookie.value"
    assert "cookie" not in result["headers"]


@pytest.mark.shared
@pytest.mark.skipif(not CLOUDFRONT.is_dir(), reason="the shared CloudFront events are missing")
def test_documented_and_generated_events_give_valid_results(settings_file: Path) -> None:
    for path in sorted(CLOUDFRONT.glob("*.json")):
        event = json.loads(path.read_text())
        cf = event["Records"][0]["cf"]
        if cf["config"].get("eventType") == "origin-response":
            assert call(event) == cf["response"]
            continue
        cloudfront_rules.assert_valid_result(call(event), event)


@pytest.mark.parametrize("content", [None, "", "[]", "{", '{"schema": 1}'])
def test_invalid_settings_deny_every_request(settings_file: Path, content: str | None) -> None:
    if content is None:
        settings_file.unlink()
    else:
        settings_file.write_text(content)
    result = call(viewer_request("/public.html"))
    assert result["status"] == "500"
    problem = json.loads(result["body"])
    assert (problem["reason"], problem["code"]) == ("unavailable", "settings_invalid")
    assert problem["request_id"]


def test_unexpected_error_returns_500_and_logs_only_its_type(
    settings_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> Outcome:
        raise ZeroDivisionError("the token was eyJ-secret")

    monkeypatch.setattr(authorization, "_route", broken)
    event = viewer_request("/premium/x", headers=NAVIGATION_HEADERS)
    result = call(event)
    cloudfront_rules.assert_valid_result(result, event)
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
def test_malformed_request_returns_400(settings_file: Path, request_: object) -> None:
    assert call({"Records": [{"cf": {"request": request_}}]})["status"] == "400"


@pytest.mark.parametrize("event", [None, {}, {"Records": []}, {"Records": [{"cf": None}]}])
def test_malformed_event_returns_400(settings_file: Path, event: object) -> None:
    assert call(event)["status"] == "400"


def test_unparseable_request_after_unexpected_error_returns_500(
    settings_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("edge_auth.viewer_request.ViewerRequest.__init__", broken)
    assert call(viewer_request())["status"] == "500"


def test_log_line_contains_no_visitor_data(
    settings_file: Path, capsys: pytest.CaptureFixture[str]
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
        reasons = {"passed", "anonymous", "invalid", "bad_request", "expired", "not_entitled"}
        assert entry["reason"] in reasons
        assert entry["request_id"]
        assert set(entry) <= {"level", "message", "reason", "code", "status", "rule", "request_id"}
        assert not re.search("secret|eyJ|subject|a-name|visitor|203.0.113", line)


def test_context_is_created_once(settings_file: Path) -> None:
    call(viewer_request())
    first = handler.auth_context()
    call(viewer_request())
    assert handler.auth_context() is first
