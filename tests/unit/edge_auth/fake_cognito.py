"""An in-memory Cognito: authorize, logout, token and revocation endpoints, and the key set.

It implements PKCE, nonce, single-use codes, refresh token rotation and revocation, and rejects the
requests that Cognito rejects (AWS, "User pool endpoints and managed login reference").
"""

import hashlib
import json
import secrets
from urllib.parse import parse_qsl, urlencode, urlsplit

from edge_auth.errors import FetchError, GrantError
from tests.unit.edge_auth import issuer


class FakeCognito:
    """One user pool with one app client. Tests change the attributes to cause failures."""

    def __init__(self, clock: issuer.Clock, *, rotation: bool = False) -> None:
        self.clock = clock
        self.rotation = rotation
        self.kid = "first"
        self.kids: tuple[str, ...] = ("first",)
        self.groups = ["paying"]
        self.nonce_override: str | None = None
        self.down = False
        self.token_lifetime = 3_600
        self.fetches = 0
        self.sign_in_works = True
        self.callbacks = {
            f"https://{issuer.HOST}/auth/callback",
            "http://localhost:8080/auth/callback",
        }
        self.logouts = {f"https://{issuer.HOST}/", "http://localhost:8080/"}
        self.resource = ""
        self.codes: dict[str, dict[str, str]] = {}
        self.refresh_tokens: set[str] = set()
        self.revoked: list[str] = []
        self.posted: list[dict[str, str]] = []

    # --- managed login

    def visit(self, url: str) -> str:
        """Return the URL to which managed login redirects a browser that signs in immediately."""
        parts = urlsplit(url)
        query = dict(parse_qsl(parts.query, strict_parsing=True))
        if parts.path in ("/oauth2/authorize", "/passkeys/add"):
            return self._authorize(query)
        assert parts.path == "/logout"
        assert query["client_id"] == issuer.CLIENT
        assert query["logout_uri"] in self.logouts
        return query["logout_uri"]

    def _authorize(self, query: dict[str, str]) -> str:
        assert query["client_id"] == issuer.CLIENT
        assert query["response_type"] == "code"
        assert query["redirect_uri"] in self.callbacks
        assert query["code_challenge_method"] == "S256"
        assert "openid" in query["scope"].split()
        assert query["nonce"]
        self.resource = query.get("resource", "")
        back = query["redirect_uri"]
        if not self.sign_in_works:
            return f"{back}?{urlencode({'error': 'access_denied', 'state': query['state']})}"
        code = secrets.token_urlsafe(16)
        self.codes[code] = query
        return f"{back}?{urlencode({'code': code, 'state': query['state']})}"

    # --- endpoints that edge_auth calls

    def fetch(self, url: str) -> bytes:
        assert url == f"{issuer.ISSUER}/.well-known/jwks.json"
        self.fetches += 1
        if self.down:
            raise FetchError
        return json.dumps(issuer.jwks(*self.kids)).encode()

    def post(self, url: str, form: dict[str, str]) -> dict[str, object]:
        if self.down:
            raise FetchError
        self.posted.append(form)
        assert form["client_id"] == issuer.CLIENT
        assert "client_secret" not in form
        if url == f"{issuer.HOSTED_UI}/oauth2/revoke":
            self.revoked.append(form["token"])
            self.refresh_tokens.discard(form["token"])
            return {}
        assert url == f"{issuer.HOSTED_UI}/oauth2/token"
        if form["grant_type"] == "authorization_code":
            return self._exchange_code(form)
        assert form["grant_type"] == "refresh_token"
        return self._refresh(form["refresh_token"])

    def _exchange_code(self, form: dict[str, str]) -> dict[str, object]:
        authorization = self.codes.pop(form["code"], None)
        verifier = hashlib.sha256(form["code_verifier"].encode()).digest()
        if (
            authorization is None
            or authorization["redirect_uri"] != form["redirect_uri"]
            or authorization["code_challenge"] != issuer.b64url(verifier)
        ):
            raise GrantError
        nonce = authorization["nonce"] if self.nonce_override is None else self.nonce_override
        return self._tokens(nonce) | {"refresh_token": self._new_refresh_token()}

    def _refresh(self, refresh_token: str) -> dict[str, object]:
        if refresh_token not in self.refresh_tokens:
            raise GrantError
        response = self._tokens(None)
        if self.rotation:
            self.refresh_tokens.discard(refresh_token)
            response["refresh_token"] = self._new_refresh_token()
        return response

    def _new_refresh_token(self) -> str:
        token = secrets.token_urlsafe(900)
        self.refresh_tokens.add(token)
        return token

    def _tokens(self, nonce: str | None) -> dict[str, object]:
        now = self.clock()
        claims = {"cognito:groups": self.groups, "exp": int(now) + self.token_lifetime}
        bound = {"aud": self.resource} if self.resource else {}
        access = issuer.token(issuer.access_claims(now) | claims | bound, self.kid)
        at_hash = issuer.b64url(hashlib.sha256(access.encode()).digest()[:16])
        identity = issuer.id_claims(now) | claims | {"at_hash": at_hash}
        if nonce is not None:
            identity["nonce"] = nonce
        return {
            "access_token": access,
            "id_token": issuer.token(identity, self.kid),
            "token_type": "Bearer",
            "expires_in": self.token_lifetime,
        }
