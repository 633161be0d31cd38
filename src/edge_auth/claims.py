"""What a Cognito token must say beside being signed.

AWS, "Verifying JSON web tokens", step 3: the token is not expired, `aud` (ID token) or `client_id`
(access token) is the app client, `iss` is the user pool, `token_use` is the expected one.
"""

from edge_auth.errors import ClaimError, TokenExpiredError

type Claims = dict[str, object]

LATEST = 1e12  # seconds: the year 33658
_BEGINNINGS = ("nbf", "iat")


class Expectations:
    """What the claims of one kind of token are compared with."""

    __slots__ = ("audience_claim", "client_id", "issuer", "leeway", "token_use")

    def __init__(self, issuer: str, client_id: str, token_use: str, leeway: int) -> None:
        """`token_use` is "access" or "id"; `leeway`, in seconds, is for `nbf` and `iat`."""
        self.issuer = issuer
        self.client_id = client_id
        self.token_use = token_use
        self.audience_claim = "aud" if token_use == "id" else "client_id"  # noqa: S105 # a kind of token
        self.leeway = leeway


def numeric_date(value: object, name: str) -> float:
    """A NumericDate (RFC 7519, section 2) in seconds. Raises ClaimError for what is none.

    A bool is an int to Python. The bounds keep out what no clock says and what overflows.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= LATEST:
        return value
    raise ClaimError(code=f"{name}_refused")


def check(claims: Claims, expected: Expectations, now: float) -> float:
    """Checks every claim and returns `exp`. Expiry comes last: TokenExpiredError means a token
    that was good.

    Raises ClaimError and TokenExpiredError.
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
    latest = now + expected.leeway
    for name in _BEGINNINGS:
        if name in claims and numeric_date(claims[name], name) > latest:
            raise ClaimError(code=f"{name}_in_future")
    # RFC 7519, section 4.1.4: on or after `exp` it must not be accepted. No leeway on this side.
    if now >= expires:
        raise TokenExpiredError
    return expires
