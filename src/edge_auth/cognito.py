"""Cognito's hosted endpoints (AWS, "User pool endpoints and managed login reference")."""

import re
from collections.abc import Callable
from urllib.parse import urlencode

from edge_auth.errors import FetchError
from edge_auth.settings import Settings

type Post = Callable[[str, dict[str, str]], dict[str, object]]
"""(address, form) -> the JSON object of a 200 answer; raises GrantError and FetchError."""

TOKEN_TEXT = re.compile(r"[A-Za-z0-9._~+/=-]+")  # RFC 6750, section 2.1: b64token


class Tokens:
    """What the token endpoint gave. A text is empty where it gave none."""

    __slots__ = ("access", "id", "refresh")

    def __init__(self, answer: dict[str, object]) -> None:
        """Raises FetchError for an answer that is no token response (RFC 6749, section 5.1)."""
        self.access = _token(answer, "access_token")
        self.id = _token(answer, "id_token")
        self.refresh = _token(answer, "refresh_token")

    def of(self, token_use: str) -> str:
        """The ID or the access token. Raises FetchError where there is none."""
        token = self.id if token_use == "id" else self.access  # noqa: S105 # a kind of token
        if not token:
            raise FetchError(code="token_missing_in_answer")
        return token


def _token(answer: dict[str, object], name: str) -> str:
    value = answer.get(name, "")
    if not isinstance(value, str) or (value and not TOKEN_TEXT.fullmatch(value)):
        raise FetchError(code="fetch_malformed")
    return value


class Cognito:
    """The endpoints of one app client. The client is public: PKCE stands where a secret would."""

    def __init__(self, settings: Settings, post: Post) -> None:
        self._base = settings.hosted_ui
        self._client_id = settings.client_id
        self._scopes = " ".join(settings.scopes)
        self._post = post

    def authorize_address(self, **parameters: str) -> str:
        """GET /oauth2/authorize, the code flow; `parameters` are those of one transaction."""
        query = {"response_type": "code", "client_id": self._client_id, "scope": self._scopes}
        return f"{self._base}/oauth2/authorize?{urlencode(query | parameters)}"

    def logout_address(self, back: str) -> str:
        """GET /logout, which ends Cognito's own session and comes `back`."""
        query = {"client_id": self._client_id, "logout_uri": back}
        return f"{self._base}/logout?{urlencode(query)}"

    def redeem(self, code: str, code_verifier: str, redirect_uri: str) -> Tokens:
        """The tokens of an authorization code. Raises GrantError and FetchError."""
        return self._tokens(
            grant_type="authorization_code",
            code=code,
            code_verifier=code_verifier,
            redirect_uri=redirect_uri,
        )

    def refresh(self, refresh_token: str) -> Tokens:
        """New tokens; a new refresh token among them where rotation is on. Raises GrantError and
        FetchError."""
        return self._tokens(grant_type="refresh_token", refresh_token=refresh_token)

    def revoke(self, refresh_token: str) -> None:
        """Ends a refresh token and every token made from it. Raises GrantError and FetchError."""
        form = {"token": refresh_token, "client_id": self._client_id}
        self._post(f"{self._base}/oauth2/revoke", form)

    def _tokens(self, **form: str) -> Tokens:
        answer = self._post(f"{self._base}/oauth2/token", form | {"client_id": self._client_id})
        return Tokens(answer)
