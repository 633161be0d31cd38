"""What holds for every event that a visitor could send."""

import posixpath
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge_auth import decision
from edge_auth.errors import EdgeAuthError
from edge_auth.gate import Gate
from tests import strategies
from tests.unit.edge_auth import issuer, legal
from tests.unit.edge_auth.browser import Result
from tests.unit.edge_auth.conftest import gate_of
from tests.unit.edge_auth.events import PAGE, viewer_request

GATE = gate_of(issuer.Clock())
TOKEN = issuer.token()
ADDRESSES = ("/auth/session", "/auth/refresh", "/auth/sign-out")


def answer(event: object, gate: Gate = GATE) -> Result:
    return decision.answer(gate, event)[1].result


@given(strategies.viewer_requests())
def test_any_event_gives_a_legal_result(event: dict[str, Any]) -> None:
    legal.check(answer(event), event)


@given(strategies.json_values())
def test_what_is_no_event_is_refused(event: object) -> None:
    assert answer(event)["status"] == "400"


@given(strategies.viewer_requests())
def test_without_a_token_nothing_protected_is_passed(event: dict[str, Any]) -> None:
    """The oracle reads the address that the origin would get, by the standard library's means."""
    result = answer(event)
    if "status" in result:
        uri = event["Records"][0]["cf"]["request"]["uri"]
        assert result["status"] != "200" or posixpath.basename(unquote(uri)).startswith("s")
        return
    for reading in (result["uri"], result["uri"].replace("\\", "/"), unquote(result["uri"])):
        path = posixpath.normpath("/" + unquote(reading).partition(";")[0].lstrip("/"))
        assert not f"{path}/".startswith(("/premium/", "/app/", "/auth/"))


@given(strategies.viewer_requests())
def test_identity_headers_are_only_ours(event: dict[str, Any]) -> None:
    result = answer(event)
    if "status" not in result:
        assert not any("meridian" in name for name in result["headers"])


@given(strategies.viewer_uris)
def test_an_entitled_token_opens_what_its_rule_covers(uri: str) -> None:
    event = viewer_request(uri, headers={"Authorization": f"Bearer {TOKEN}"})
    result = answer(event)
    legal.check(result, event)
    assert "status" not in result or result["status"] in ("200", "303", "400", "401", "404")


@given(st.integers(0, len(TOKEN) - 1), st.integers(0, 6))
@example(len(TOKEN) - 1, 0)
def test_a_token_with_any_bit_changed_never_passes(index: int, bit: int) -> None:
    changed = TOKEN[:index] + chr(ord(TOKEN[index]) ^ (1 << bit)) + TOKEN[index + 1 :]
    event = viewer_request(headers={"Authorization": f"Bearer {changed}"})
    assert answer(event)["status"] in ("400", "401", "503")


def test_every_single_bit_of_one_token() -> None:
    """All of them, once: 7 bits of some 1,000 characters."""
    for index in range(len(TOKEN)):
        for bit in range(7):
            changed = TOKEN[:index] + chr(ord(TOKEN[index]) ^ (1 << bit)) + TOKEN[index + 1 :]
            with pytest.raises(EdgeAuthError):
                GATE.verifier.verify(changed)


@given(st.text(max_size=60) | strategies.viewer_uris)
@example("//evil.example")
@example("/\\evil.example")
@example("/\t/evil.example")
@example("/%09/evil.example")
@example("/%2f%2fevil.example")
@example("https://evil.example")
@example("/auth/sign-out")
@example("/x/../auth/sign-out")
def test_a_return_address_stays_on_this_site(address: str) -> None:
    from urllib.parse import quote

    cookies = {"__Host-meridian-refresh": "a-refresh-token"}
    query = f"return_to={quote(address, safe='', errors='replace')}"
    gate = gate_of(issuer.Clock(), post=renewing)
    event = viewer_request("/auth/refresh", query=query, headers=PAGE, cookies=cookies)
    result = answer(event, gate)
    assert result["status"] == "303"
    went = urlsplit(result["headers"]["location"][0]["value"])
    assert (went.scheme, went.netloc) == ("https", issuer.HOST)
    assert not went.path.startswith(("//", "/\\"))
    assert not f"{posixpath.normpath(unquote(went.path))}/".startswith("/auth/")


def renewing(_: str, form: dict[str, str]) -> dict[str, object]:
    return {"access_token": TOKEN}
