"""Client of Cognito's OAuth 2.0 endpoints.

It builds authorize and logout URLs, exchanges authorization codes, refreshes and revokes tokens.
The endpoints are described in AWS, "User pool endpoints and managed login reference".
"""

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import urlencode

from edge_auth.errors import FetchError
from edge_auth.settings import Settings

type Post = Callable[[str, dict[str, str]], dict[str, object]]
"""(URL, form) -> the JSON object of a 200 response.

Raises:
    GrantError: Cognito rejects the form (RFC 6749, section 5.2).
    FetchError: The response has another status or isn't a JSON object, or the request failed.
"""

TOKEN_PATTERN: Final = re.compile(r"[A-Za-z0-9._~+/=-]+")  # RFC 6750, section 2.1: b64token


class TokenResponse:
    """The tokens in a token endpoint's response; a missing token is an empty string."""

    __slots__ = ("access", "id", "refresh")

    def __init__(self, response: dict[str, object]) -> None:
        """Read a token response (RFC 6749, section 5.1).

        Raises:
            FetchError: A token isn't a string or has characters that a token can't have.
        """
        self.access = _token(response, "access_token")
        self.id = _token(response, "id_token")
        self.refresh = _token(response, "refresh_token")

    def require(self, token_use: str) -> str:
        """Return the ID token ("id") or the access token.

        Raises:
            FetchError: The response doesn't contain that token.
        """
        token = self.id if token_use == "id" else self.access  # noqa: S105 # a token type
        if not token:
            raise FetchError(code="token_missing_in_answer")
        return token


def _token(response: dict[str, object], name: str) -> str:
    value = response.get(name, "")
    if not isinstance(value, str) or (value and not TOKEN_PATTERN.fullmatch(value)):
        raise FetchError(code="fetch_malformed")
    return value


class CognitoClient:
    """The endpoints of one public app client, which uses PKCE and has no client secret."""

    def __init__(self, settings: Settings, post: Post) -> None:
        self._base_url = settings.hosted_ui
        self._client_id = settings.client_id
        self._scopes = " ".join(settings.scopes)
        self._resource = {"resource": settings.audience} if settings.audience else {}
        self._post = post

    def authorize_url(self, path: str, **parameters: str) -> str:
        """Return the URL of a page of managed login that ends with an authorization code.

        `parameters` belong to one sign-in: redirect_uri, state, nonce and the PKCE challenge.
        """
        query = {"response_type": "code", "client_id": self._client_id, "scope": self._scopes}
        return f"{self._base_url}{path}?{urlencode(query | self._resource | parameters)}"

    def logout_url(self, logout_uri: str) -> str:
        """Return the logout URL, which ends Cognito's session and redirects to `logout_uri`."""
        query = {"client_id": self._client_id, "logout_uri": logout_uri}
        return f"{self._base_url}/logout?{urlencode(query)}"

    def exchange_code(self, code: str, code_verifier: str, redirect_uri: str) -> TokenResponse:
        """Exchange an authorization code for tokens.

        Raises:
            GrantError: Cognito rejects the code, for example because it was used before.
            FetchError: The request failed, or the response isn't a valid token response.
        """
        return self._request_tokens(
            grant_type="authorization_code",
            code=code,
            code_verifier=code_verifier,
            redirect_uri=redirect_uri,
        )

    def refresh_tokens(self, refresh_token: str) -> TokenResponse:
        """Return new tokens, with a new refresh token if the app client rotates them.

        Raises:
            GrantError: Cognito rejects the refresh token because it is revoked, expired or used.
            FetchError: The request failed, or the response isn't a valid token response.
        """
        return self._request_tokens(grant_type="refresh_token", refresh_token=refresh_token)

    def revoke_token(self, refresh_token: str) -> None:
        """Revoke a refresh token and all tokens issued from it.

        Raises:
            GrantError: Cognito rejects the form.
            FetchError: The request failed.
        """
        form = {"token": refresh_token, "client_id": self._client_id}
        self._post(f"{self._base_url}/oauth2/revoke", form)

    def _request_tokens(self, **form: str) -> TokenResponse:
        response = self._post(
            f"{self._base_url}/oauth2/token", form | {"client_id": self._client_id}
        )
        return TokenResponse(response)
