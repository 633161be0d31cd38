"""Verify Cognito tokens: structure, signature, claims. Cache verified tokens for a few minutes."""

from collections.abc import Callable
from typing import Final

from edge_auth import jws
from edge_auth.claims import Claims, ExpectedClaims, verify_claims
from edge_auth.digest import compare_digest, sha256
from edge_auth.encoding import base64url_decode, parse_json_object
from edge_auth.errors import SettingsError, SignatureError, TokenError
from edge_auth.jwks import JwksCache
from edge_auth.rsa import PublicKey

# The cache has two generations of this size. A full generation replaces the older one.
MAX_CACHED_TOKENS: Final = 512
# A removed signing key stops working after this time at the latest.
CACHE_S: Final = 300
# All access tokens signed with one key have the same header segment, and so have all ID tokens.
MAX_CACHED_HEADERS: Final = 8


class TokenVerifier:
    """Verify the tokens of one issuer and one token use.

    The cache key is the SHA-256 of the signing input, which verifying the signature needs anyway. A
    cache hit also compares the signature.
    """

    def __init__(
        self, keys: JwksCache, expected: ExpectedClaims, clock: Callable[[], float]
    ) -> None:
        """`clock` returns seconds since the epoch.

        Raises:
            SettingsError: The keys belong to another issuer than the expected claims.
        """
        if keys.issuer != expected.issuer:
            raise SettingsError("issuer", "isn't the issuer of the signing keys")
        self._keys = keys
        self._expected = expected
        self._clock = clock
        self._generation = keys.generation
        self._headers: dict[bytes, PublicKey] = {}
        # digest -> (valid until, signature, claims)
        self._recent: dict[bytes, tuple[float, bytes, Claims]] = {}
        self._older: dict[bytes, tuple[float, bytes, Claims]] = {}

    def verify(self, token: str) -> Claims:
        """Return the claims of a valid token. The caller must not modify them.

        Raises:
            TokenError: The token is malformed, expired, or has an invalid signature or claim.
            KeysUnavailableError: The token's key is unknown and the issuer can't be reached.
        """
        try:
            data = token.encode("ascii")
        except UnicodeEncodeError as error:
            raise TokenError from error
        signing_input, _, signature = data.rpartition(b".")
        digest = sha256(signing_input).digest()
        hit = self._recent.get(digest) or self._older.get(digest)
        if hit is not None and self._clock() < hit[0] and compare_digest(hit[1], signature):
            return hit[2]
        return self._verify(signing_input, signature, digest)

    def _verify(self, signing_input: bytes, signature: bytes, digest: bytes) -> Claims:
        now = self._clock()
        self._keys.refresh_if_stale()
        header, payload = jws.split_signing_input(signing_input, signature)
        key = self._headers.get(header)
        if key is None or self._generation != self._keys.generation:
            key = self._find_key(header, payload, now)
        if not key.verify_signature(digest, base64url_decode(signature)):
            raise SignatureError
        claims = parse_json_object(base64url_decode(payload))
        expires = verify_claims(claims, self._expected, now)
        # The caches contain nothing that a valid signature doesn't cover.
        if header not in self._headers:
            has_space = len(self._headers) < MAX_CACHED_HEADERS
            self._headers = {**self._headers, header: key} if has_space else {header: key}
        if len(self._recent) >= MAX_CACHED_TOKENS:
            self._older, self._recent = self._recent, {}
        self._recent[digest] = (min(expires, now + CACHE_S), signature, claims)
        return claims

    def _find_key(self, header: bytes, payload: bytes, now: float) -> PublicKey:
        kid = jws.parse_key_id(header)
        if not self._keys.contains(kid):
            # Fetch keys only for a token whose claims are valid: a fetch can take a second.
            verify_claims(parse_json_object(base64url_decode(payload)), self._expected, now)
        key = self._keys.get_key(kid)
        if self._generation != self._keys.generation:
            self._generation = self._keys.generation
            self._headers, self._recent, self._older = {}, {}, {}
        return key
