"""Access tokens of the staff, verified with the keys of the settings."""

import json
import re
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogue import changes
from catalogue import handler as function
from catalogue.errors import CatalogueError, NotSignedInError, NotStaffError, UnavailableError
from catalogue.router import Router
from catalogue.staff_tokens import USER_SCOPES, StaffTokens
from tests.support.paths import ROOT
from tests.unit.catalogue.test_courses import System
from tests.unit.catalogue.test_model import COURSE
from tests.unit.catalogue.test_router import Changes
from tests.unit.edge_auth import issuer


def tokens(now: float = issuer.NOW) -> StaffTokens:
    return StaffTokens(issuer.ISSUER, (issuer.CLIENT,), json.dumps(issuer.jwks()), lambda: now)


def header(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def staff_claims(**changes: object) -> dict[str, object]:
    return issuer.access_claims() | {"cognito:groups": ["staff"]} | changes


def test_member_of_the_staff_is_known_by_the_sub() -> None:
    sub = tokens().verify(header(issuer.token(staff_claims())))
    assert sub == "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"


def test_token_of_a_pool_with_a_replica_is_accepted() -> None:
    """Its issuer has the type UPDATED."""
    updated = issuer.ISSUER.replace("cognito-idp", "issuer-cognito-idp")
    claims = staff_claims(iss=updated)
    assert tokens().verify(header(issuer.token(claims))) == claims["sub"]


@pytest.mark.parametrize(
    ("claims", "error"),
    [
        (issuer.access_claims(), NotStaffError),
        (staff_claims(**{"cognito:groups": "staff"}), NotStaffError),
        (staff_claims(exp=int(issuer.NOW) - 1), NotSignedInError),
        (staff_claims(client_id="other"), NotSignedInError),
        (staff_claims(iss="https://other.example"), NotSignedInError),
        (issuer.id_claims() | {"cognito:groups": ["staff"]}, NotSignedInError),
        (staff_claims(scope="catalogue/write"), NotStaffError),
        (staff_claims(scope="openid-other"), NotStaffError),
        (staff_claims(scope=["openid"]), NotStaffError),
        (staff_claims(scope=None), NotStaffError),
        ({k: v for k, v in staff_claims().items() if k != "scope"}, NotStaffError),
    ],
)
def test_other_token_is_refused(claims: dict[str, object], error: type[CatalogueError]) -> None:
    with pytest.raises(error):
        tokens().verify(header(issuer.token(claims)))


@given(st.lists(st.sampled_from(["email", "profile", "phone", "x/write", "openid2", ""])))
def test_token_needs_the_scope_of_a_user(others: list[str]) -> None:
    """With or without other scopes, in any order."""
    refused = issuer.token(staff_claims(scope=" ".join(others)))
    with pytest.raises(NotStaffError):
        tokens().verify(header(refused))
    for scope in USER_SCOPES:
        accepted = issuer.token(staff_claims(scope=" ".join([*others, scope])))
        assert tokens().verify(header(accepted))


def test_scopes_are_those_of_the_api() -> None:
    """A member of the staff changes courses with the token that opens the office's operations."""
    folder = ROOT / "src" / "stepfunctions" / "api"
    texts = [it.read_text() for it in folder.glob("*.yaml")]
    accepted = {it for text in texts for it in re.findall(r"- students: \[(.+)\]", text)}
    assert [set(it.split(", ")) for it in accepted] == [USER_SCOPES]


@pytest.mark.parametrize(
    ("claims", "status", "code"),
    [
        (issuer.access_claims(), 403, "not_staff"),
        (staff_claims(scope="catalogue/write"), 403, "not_staff"),
        (staff_claims(client_id="other"), 401, "not_signed_in"),
        (staff_claims(), 200, None),
    ],
)
def test_change_by_a_load_balancer_event_needs_group_and_scope(
    claims: dict[str, object], status: int, code: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event is the documented one of "Lambda functions as targets"."""
    router = Router(
        System().courses,
        cast("changes.Changes", Changes()),
        tokens,
        "eu-west-2",
        log=lambda _line: None,
    )
    monkeypatch.setattr(function, "router", lambda: router)
    event = json.loads((ROOT / "events" / "catalogue" / "change.json").read_text())
    event |= {"body": json.dumps(COURSE), "isBase64Encoded": False}
    event["multiValueHeaders"]["authorization"] = [f"Bearer {issuer.token(claims)}"]
    result = function.handler(event, None)
    assert (result["statusCode"], json.loads(str(result["body"])).get("code")) == (status, code)
    challenged = "WWW-Authenticate" in cast("dict[str, str]", result["multiValueHeaders"])
    assert challenged is (status == 401)


@pytest.mark.parametrize("value", ["", "Basic dTpw", "Bearer ", "Bearer a.b.c", "Bearer é"])
def test_request_without_access_token_is_refused(value: str) -> None:
    with pytest.raises(NotSignedInError):
        tokens().verify({"authorization": value})


def test_token_of_an_unknown_key_is_temporarily_refused_without_a_fetch() -> None:
    with pytest.raises(UnavailableError) as caught:
        tokens().verify(header(issuer.token(staff_claims(), kid="second")))
    assert caught.value.status == 503


def test_keys_older_than_six_hours_still_verify() -> None:
    clock = issuer.Clock()
    verifier = StaffTokens(
        issuer.ISSUER, (issuer.CLIENT,), json.dumps(issuer.jwks()), lambda: clock.now
    )
    clock.now += 50_000
    claims = staff_claims(exp=int(clock.now) + 60)
    assert verifier.verify(header(issuer.token(claims)))
