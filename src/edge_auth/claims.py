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

    __slots__ = ("audience", "clients", "issuer", "issuers", "leeway_seconds", "token_use")

    def __init__(
        self,
        issuer: str,
        clients: tuple[str, ...],
        token_use: str,
        leeway_seconds: int,
        audience: str | None = None,
        other_issuers: tuple[str, ...] = (),
    ) -> None:
        """`token_use` is "access" or "id". The leeway applies to `nbf` and `iat` only.

        `clients` are the IDs of app clients. `audience` is the resource that access tokens must be
        bound to, if there is one. `other_issuers` are other names of the same user pool.
        """
        self.issuer = issuer
        self.issuers = (issuer, *other_issuers)
        self.clients = clients
        self.token_use = token_use
        self.audience = audience
        self.leeway_seconds = leeway_seconds


def numeric_date(value: object, name: str) -> float:
    """Return a NumericDate claim (RFC 7519, section 2) in seconds since the epoch.

    Python's bool is an int, so it needs a separate check. The upper bound prevents overflows.

    Raises:
        ClaimError: The value isn't a number from 0 to MAX_NUMERIC_DATE.
    """
    # The type itself: JSON has no subclasses, and it is cheaper than isinstance() on every token.
    if (type(value) is int or type(value) is float) and 0 <= value <= MAX_NUMERIC_DATE:
        return value
    raise ClaimError(code=f"{name}_refused")


def _is_audience(claims: Claims, expected: ExpectedClaims) -> bool:
    """Return True if the token was issued to one of the app clients, for this site.

    Cognito adds `aud` to an access token that is bound to a resource (RFC 8707); a token for
    another resource isn't valid here. A pre-token-generation trigger can add it too, but only with
    the app client's ID (AWS, "Understanding the access token" and "Pre token generation Lambda
    trigger").
    """
    audience = claims.get("aud")
    if expected.token_use == "access":  # noqa: S105 # a token type
        client = claims.get("client_id")
        if isinstance(client, list):
            client = _one(client)
        if client not in expected.clients:
            return False
        if expected.audience is not None:
            return audience == expected.audience or (
                isinstance(audience, list) and expected.audience in audience
            )
        return audience is None or _one(audience) == client
    return _one(audience) in expected.clients


def _one(value: object) -> object:
    """Return the only element of a list with one element, and any other value unchanged."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def verify_claims(claims: Claims, expected: ExpectedClaims, now: float) -> float:
    """Verify every claim and return `exp` in seconds since the epoch.

    Expiry is verified last, so that TokenExpiredError means an otherwise valid token.

    Raises:
        ClaimError: A claim is missing, malformed or has another value than expected.
        TokenExpiredError: The token is valid except for its expiry.
    """
    if claims.get("iss") not in expected.issuers:
        raise ClaimError(code="issuer_refused")
    if claims.get("token_use") != expected.token_use:
        raise ClaimError(code="token_use_refused")
    if not _is_audience(claims, expected):
        raise ClaimError(code="audience_refused")
    if "exp" not in claims:
        raise ClaimError(code="exp_missing")
    expires = numeric_date(claims["exp"], "exp")
    for name in _NOT_BEFORE_CLAIMS:
        if name in claims and numeric_date(claims[name], name) > now + expected.leeway_seconds:
            raise ClaimError(code=f"{name}_in_future")
    # RFC 7519, section 4.1.4: "on or after which the JWT MUST NOT be accepted". No leeway here.
    if now >= expires:
        raise TokenExpiredError
    return expires
