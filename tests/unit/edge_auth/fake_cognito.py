"""Cognito's hosted pages and token endpoint in memory: PKCE, nonce, single use, rotation, revoking.

A stand-in for what edge_auth talks to and what a browser is sent to. It refuses what Cognito
refuses (AWS, "User pool endpoints and managed login reference").
"""

import hashlib
import json
import secrets
from urllib.parse import parse_qsl, urlencode, urlsplit

from edge_auth.errors import FetchError, GrantError
from tests.unit.edge_auth import issuer


class FakeCognito:
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
        self.codes: dict[str, dict[str, str]] = {}
        self.refresh_tokens: set[str] = set()
        self.revoked: list[str] = []
        self.posted: list[dict[str, str]] = []

    # --- what the browser sees

    def visit(self, address: str) -> str:
        """Where the hosted pages send a browser that signs in at once."""
        parts = urlsplit(address)
        query = dict(parse_qsl(parts.query, strict_parsing=True))
        if parts.path == "/oauth2/authorize":
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
        back = query["redirect_uri"]
        if not self.sign_in_works:
            return f"{back}?{urlencode({'error': 'access_denied', 'state': query['state']})}"
        code = secrets.token_urlsafe(16)
        self.codes[code] = query
        return f"{back}?{urlencode({'code': code, 'state': query['state']})}"

    # --- what edge_auth sees

    def fetch(self, address: str) -> bytes:
        assert address == f"{issuer.ISSUER}/.well-known/jwks.json"
        self.fetches += 1
        if self.down:
            raise FetchError
        return json.dumps(issuer.jwks(*self.kids)).encode()

    def post(self, address: str, form: dict[str, str]) -> dict[str, object]:
        if self.down:
            raise FetchError
        self.posted.append(form)
        assert form["client_id"] == issuer.CLIENT
        assert "client_secret" not in form
        if address == f"{issuer.HOSTED_UI}/oauth2/revoke":
            self.revoked.append(form["token"])
            self.refresh_tokens.discard(form["token"])
            return {}
        assert address == f"{issuer.HOSTED_UI}/oauth2/token"
        if form["grant_type"] == "authorization_code":
            return self._redeem(form)
        assert form["grant_type"] == "refresh_token"
        return self._refresh(form["refresh_token"])

    def _redeem(self, form: dict[str, str]) -> dict[str, object]:
        begun = self.codes.pop(form["code"], None)
        verifier = hashlib.sha256(form["code_verifier"].encode()).digest()
        if (
            begun is None
            or begun["redirect_uri"] != form["redirect_uri"]
            or begun["code_challenge"] != issuer.b64url(verifier)
        ):
            raise GrantError
        nonce = begun["nonce"] if self.nonce_override is None else self.nonce_override
        return self._tokens(nonce) | {"refresh_token": self._new_refresh_token()}

    def _refresh(self, refresh_token: str) -> dict[str, object]:
        if refresh_token not in self.refresh_tokens:
            raise GrantError
        answer = self._tokens(None)
        if self.rotation:
            self.refresh_tokens.discard(refresh_token)
            answer["refresh_token"] = self._new_refresh_token()
        return answer

    def _new_refresh_token(self) -> str:
        token = secrets.token_urlsafe(900)
        self.refresh_tokens.add(token)
        return token

    def _tokens(self, nonce: str | None) -> dict[str, object]:
        now = self.clock()
        claims = {"cognito:groups": self.groups, "exp": int(now) + self.token_lifetime}
        access = issuer.token(issuer.access_claims(now) | claims, self.kid)
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
