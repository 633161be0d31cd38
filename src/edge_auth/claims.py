"""Verify the claims of a Cognito token whose signature is valid.

AWS, "Verifying JSON web tokens", step 3: the token is not expired, `aud` (ID token) or `client_id`
(access token) is the app client, `iss` is the user pool, `token_use` is the expected one.
"""

from typing import Final

from edge_auth.errors import ClaimError, TokenExpiredError

type Claims = dict[str, object]

MAX_NUMERIC_DATE: Final = 1e12  # seconds since the epoch: the year 33658
_NOT_BEFORE_CLAIMS: Final = ("nbf", "iat")


class ExpectedClaims:
    """The claim values that one kind of token must have."""

    __slots__ = ("audience_claim", "client_id", "issuer", "leeway_seconds", "token_use")

    def __init__(self, issuer: str, client_id: str, token_use: str, leeway_seconds: int) -> None:
        """`token_use` is "access" or "id". The leeway applies to `nbf` and `iat` only."""
        self.issuer = issuer
        self.client_id = client_id
        self.token_use = token_use
        self.audience_claim = "aud" if token_use == "id" else "client_id"  # noqa: S105 # token type
        self.leeway_seconds = leeway_seconds


def numeric_date(value: object, name: str) -> float:
    """Return a NumericDate claim (RFC 7519, section 2) in seconds since the epoch.

    Python's bool is an int, so it needs a separate check. The upper bound prevents overflows.

    Raises:
        ClaimError: The value isn't a number from 0 to MAX_NUMERIC_DATE.
    """
    if (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and 0 <= value <= MAX_NUMERIC_DATE
    ):
        return value
    raise ClaimError(code=f"{name}_refused")


def verify_claims(claims: Claims, expected: ExpectedClaims, now: float) -> float:
    """Verify every claim and return `exp` in seconds since the epoch.

    Expiry is verified last, so that TokenExpiredError means an otherwise valid token.

    Raises:
        ClaimError: A claim is missing, malformed or has another value than expected.
        TokenExpiredError: The token is valid except for its expiry.
    """
    if claims.get("iss") != expected.issuer:
        raise ClaimError(code="issuer_refused")
    if claims.get("token_use") != expected.token_use:
        raise ClaimError(code="token_use_refused")
    audience = claims.get(expected.audience_claim)
    if audience != expected.client_id and audience != [expected.client_id]:
        raise ClaimError(code="audience_refused")
    if "exp" not in claims:
        raise ClaimError(code="exp_missing")
    expires = numeric_date(claims["exp"], "exp")
    latest = now + expected.leeway_seconds
    for name in _NOT_BEFORE_CLAIMS:
        if name in claims and numeric_date(claims[name], name) > latest:
            raise ClaimError(code=f"{name}_in_future")
    # RFC 7519, section 4.1.4: "on or after which the JWT MUST NOT be accepted". No leeway here.
    if now >= expires:
        raise TokenExpiredError
    return expires
