"""Who passes, who does not, and with which words."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from edge_auth import decision
from edge_auth.gate import Gate
from tests.unit.edge_auth import issuer
from tests.unit.edge_auth.browser import Result
from tests.unit.edge_auth.events import PAGE, viewer_request

TOKEN = "__Host-meridian-token"


def bearer(**claims: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {issuer.token(issuer.access_claims(**claims))}"}


def answer(gate: Gate, event: object) -> Result:
    return decision.answer(gate, event)[1].result


@pytest.mark.parametrize(
    ("uri", "headers", "status", "reason"),
    [
        ("/premium/a.html", {}, "401", "anonymous"),
        ("/premium/a.html", bearer(exp=issuer.NOW), "401", "expired"),
        ("/premium/a.html", {"Authorization": "Bearer a.b.c"}, "401", "invalid"),
        ("/premium/a.html", bearer(**{"cognito:groups": ["other"]}), "403", "not_entitled"),
        ("/app/", {}, "401", "anonymous"),
    ],
)
def test_a_refused_program_gets_problem_json(
    gate: Gate, uri: str, headers: dict[str, str], status: str, reason: str
) -> None:
    event = viewer_request(uri, headers=headers)
    result = answer(gate, event)
    assert result["status"] == status
    assert result["headers"]["content-type"][0]["value"] == "application/problem+json"
    assert result["headers"]["cache-control"][0]["value"] == "no-store"
    assert ("www-authenticate" in result["headers"]) == (status == "401")
    problem = json.loads(result["body"])
    assert problem["reason"] == reason
    assert problem["status"] == int(status)
    assert problem["request_id"].startswith("4TyzHTaYWb1GX1q")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "BREW"])
def test_every_method_is_judged(gate: Gate, method: str) -> None:
    assert answer(gate, viewer_request(method=method))["status"] == "401"
    assert "status" not in answer(gate, viewer_request(method=method, headers=bearer()))


def test_a_cookie_is_as_good_as_a_header_and_the_header_wins(gate: Gate) -> None:
    cookies = {TOKEN: issuer.token()}
    assert "status" not in answer(gate, viewer_request(cookies=cookies))
    wins = viewer_request(cookies=cookies, headers={"Authorization": "Bearer broken"})
    assert answer(gate, wins)["status"] == "401"


def test_the_index_is_added_to_a_folder(gate: Gate) -> None:
    assert answer(gate, viewer_request("/app/", headers=bearer()))["uri"] == "/app/index.html"


def test_a_path_without_a_rule_is_refused_to_everyone(make_gate: Callable[..., Gate]) -> None:
    gate = make_gate(rules=[{"path": "/premium/*", "signed_in": True}])
    result = answer(gate, viewer_request("/other", headers=bearer()))
    assert result["status"] == "403"
    assert json.loads(result["body"])["code"] == "no_rule"


def test_a_person_gets_a_page(gate: Gate) -> None:
    result = answer(gate, viewer_request("/app/%zz", headers=PAGE))
    assert result["status"] == "400"
    assert result["headers"]["content-type"][0]["value"].startswith("text/html")
    assert "default-src 'none'" in result["headers"]["content-security-policy"][0]["value"]
