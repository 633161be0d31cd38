"""A token is good or it is an error: structure, then signature, then claims, then remembered."""

from collections.abc import Callable

from edge_auth import jws
from edge_auth.claims import Claims, Expectations, check
from edge_auth.digest import compare_digest, sha256
from edge_auth.encoding import decode, json_object
from edge_auth.errors import SettingsError, SignatureError, TokenError
from edge_auth.jwks import KeyRing
from edge_auth.rsa import PublicKey

# Two generations of this many tokens: bounded, and a full memory forgets the older half.
REMEMBERED = 512
# Seconds. A key that leaves the key set stops working after this at the latest.
REMEMBERED_FOR = 300
# Header segments are the same for all tokens of one key: an access token's, an ID token's.
REMEMBERED_HEADERS = 8


class Verifier:
    """Checks tokens of one issuer and one kind, and remembers the good ones: by the SHA-256 of what
    was signed, which the check of the signature needs anyway, and the signature."""

    def __init__(self, keys: KeyRing, expected: Expectations, clock: Callable[[], float]) -> None:
        """`clock` gives seconds since the epoch. Raises SettingsError for another issuer's keys: a
        key must never vouch for a token of anybody else."""
        if keys.issuer != expected.issuer:
            raise SettingsError("issuer", "is not the one whose keys these are")
        self._keys = keys
        self._expected = expected
        self._clock = clock
        self._generation = keys.generation
        self._headers: dict[bytes, PublicKey] = {}
        self._young: dict[bytes, tuple[float, bytes, Claims]] = {}
        self._old: dict[bytes, tuple[float, bytes, Claims]] = {}

    def verify(self, token: str) -> Claims:
        """The claims of a good token, to be read and not changed.

        Raises TokenError and its kinds, TokenExpiredError among them, and KeysUnavailableError.
        """
        try:
            data = token.encode("ascii")
        except UnicodeEncodeError as error:
            raise TokenError from error
        message, _, signature = data.rpartition(b".")
        digest = sha256(message).digest()
        known = self._young.get(digest) or self._old.get(digest)
        if known is not None and self._clock() < known[0] and compare_digest(known[1], signature):
            return known[2]
        return self._verify(message, signature, digest)

    def _verify(self, message: bytes, signature: bytes, digest: bytes) -> Claims:
        now = self._clock()
        self._keys.fresh()
        header, payload = jws.split(message, signature)
        key = self._headers.get(header)
        if key is None or self._generation != self._keys.generation:
            key = self._key(header, payload, now)
        if not key.verifies(digest, decode(signature)):
            raise SignatureError
        claims = json_object(decode(payload))
        expires = check(claims, self._expected, now)
        # Only now: what is remembered has stood under a good signature.
        if header not in self._headers:
            self._headers = {**self._headers, header: key} if self._has_room() else {header: key}
        if len(self._young) >= REMEMBERED:
            self._old, self._young = self._young, {}
        until = now + REMEMBERED_FOR
        self._young[digest] = (min(expires, until), signature, claims)
        return claims

    def _has_room(self) -> bool:
        return len(self._headers) < REMEMBERED_HEADERS

    def _key(self, header: bytes, payload: bytes, now: float) -> PublicKey:
        kid = jws.key_id(header)
        if not self._keys.holds(kid):
            # A fetch is worth its second only for a token that could be good once the key is known.
            check(json_object(decode(payload)), self._expected, now)
        key = self._keys.find(kid)
        if self._generation != self._keys.generation:
            self._generation = self._keys.generation
            self._headers, self._young, self._old = {}, {}, {}
        return key
