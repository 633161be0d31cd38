"""Verify the access tokens of the staff. Keys come with the settings and aren't fetched."""

import json
from collections.abc import Callable, Mapping
from typing import Final, NoReturn

from catalogue.errors import NotSignedInError, NotStaffError, UnavailableError
from edge_auth.claims import ExpectedClaims
from edge_auth.errors import EdgeAuthError, FetchError, KeysUnavailableError
from edge_auth.jwks import JwksCache, parse_moduli
from edge_auth.rsa_backend import select_backend
from edge_auth.token_verifier import TokenVerifier
from staff.groups import STAFF_GROUP

#: Clocks of two computers differ.
LEEWAY_S: Final = 60
#: A token has one of these scopes if a person signed in, by managed login or by the user pools API.
#: The API's methods accept the same (src/stepfunctions/api/components.yaml). A machine's token has
#: the custom scopes of its app client only.
USER_SCOPES: Final = frozenset({"openid", "aws.cognito.signin.user.admin"})


class StaffTokens:
    """Verify tokens of one user pool with the keys that the deployment stored.

    The function's subnets have no way to the internet, so a new signing key needs a deployment.
    """

    def __init__(
        self, issuer: str, clients: tuple[str, ...], keys: str, clock: Callable[[], float]
    ) -> None:
        """`keys` is a JWK set (RFC 7517). `clock` returns seconds since the epoch.

        Raises:
            SettingsError: The keys aren't a JWK set.
        """
        cached = JwksCache(
            issuer=issuer,
            jwks_uri="",
            seed=parse_moduli(json.loads(keys)),
            seed_age_s=0,
            backend=select_backend(),
            fetch=_no_fetch,
            clock=clock,
        )
        # A user pool with a replica has the issuer type UPDATED, and the same keys.
        updated = issuer.replace("https://cognito-idp.", "https://issuer-cognito-idp.", 1)
        expected = ExpectedClaims(issuer, clients, "access", LEEWAY_S, other_issuers=(updated,))
        self._verifier = TokenVerifier(cached, expected, clock)

    def verify(self, headers: Mapping[str, str]) -> str:
        """Return the `sub` of the member of the staff who sent a request.

        Raises:
            NotSignedInError: The request has no valid access token.
            NotStaffError: The caller isn't in the group staff, or the token has no scope of a user.
            UnavailableError: The settings don't have the token's signing key.
        """
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise NotSignedInError("A change needs an access token of the school.")
        try:
            claims = self._verifier.verify(token.strip())
        except KeysUnavailableError as error:
            raise UnavailableError("The token's signing key isn't known here yet.") from error
        except EdgeAuthError as error:
            raise NotSignedInError("The access token isn't valid.") from error
        if USER_SCOPES.isdisjoint(str(claims.get("scope", "")).split()):
            raise NotStaffError("The access token has no scope of a signed-in user.")
        groups = claims.get("cognito:groups")
        if not isinstance(groups, list) or STAFF_GROUP not in groups:
            raise NotStaffError("Only members of the group staff can change the catalogue.")
        return str(claims.get("sub", ""))


def _no_fetch(_url: str) -> NoReturn:
    raise FetchError(code="keys_not_fetched")
