"""Access tokens of the staff, verified with the keys of the settings."""

import json

import pytest

from catalogue.errors import CatalogueError, NotSignedInError, NotStaffError, UnavailableError
from catalogue.staff_tokens import StaffTokens
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


@pytest.mark.parametrize(
    ("claims", "error"),
    [
        (issuer.access_claims(), NotStaffError),
        (staff_claims(**{"cognito:groups": "staff"}), NotStaffError),
        (staff_claims(exp=int(issuer.NOW) - 1), NotSignedInError),
        (staff_claims(client_id="other"), NotSignedInError),
        (staff_claims(iss="https://other.example"), NotSignedInError),
        (issuer.id_claims() | {"cognito:groups": ["staff"]}, NotSignedInError),
    ],
)
def test_other_token_is_refused(claims: dict[str, object], error: type[CatalogueError]) -> None:
    with pytest.raises(error):
        tokens().verify(header(issuer.token(claims)))


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
