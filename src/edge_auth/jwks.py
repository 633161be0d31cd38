"""Cache of the user pool's signing keys (JWK set, RFC 7517).

The deployment stores a first key set in the settings, with the time of its download. The cache
fetches the set again if a token has an unknown `kid`, or if the cached set is too old: a first set
is as old in each new process.
"""

from _thread import allocate_lock
from collections.abc import Callable, Mapping
from typing import Final

from edge_auth.encoding import base64url_decode, parse_json_object
from edge_auth.errors import (
    EdgeAuthError,
    FetchError,
    KeysUnavailableError,
    TokenError,
    UnknownKeyError,
)
from edge_auth.jws import MAX_KID_CHARS
from edge_auth.rsa import EXPONENT, MAX_KEY_BITS, MIN_KEY_BITS, Backend, PublicKey

type Fetch = Callable[[str], bytes]
"""URL -> body of a 200 response. Bounded in size and time, no redirects.

Raises:
    FetchError: The status isn't 200, or the request failed.
"""

# Minimum time between two fetches, failed ones included: limits what a forged `kid` can cause.
FETCH_COOLDOWN_S: Final = 30
# AWS, "Verifying JSON web tokens": "Amazon Cognito might rotate signing keys […] refresh the cache
# periodically". A removed key stops working after this time if the issuer responds.
MAX_AGE_S: Final = 21_600


def _key_modulus(jwk: object) -> tuple[str, int]:
    """Return `kid` and modulus of a key set's member.

    Raises:
        TokenError: The member isn't an RS256 key.
    """
    if not isinstance(jwk, dict):
        raise TokenError
    kid, modulus, exponent = jwk.get("kid"), jwk.get("n"), jwk.get("e")
    if (
        jwk.get("kty") != "RSA"
        or jwk.get("use", "sig") != "sig"
        or jwk.get("alg", "RS256") != "RS256"
        or not _allows_verify(jwk.get("key_ops", ["verify"]))
        or not isinstance(kid, str)
        or not 0 < len(kid) <= MAX_KID_CHARS
        or not isinstance(modulus, str)
        or not isinstance(exponent, str)
        or not (modulus + exponent).isascii()
        or len(modulus) > MAX_KEY_BITS
    ):
        raise TokenError
    number = int.from_bytes(base64url_decode(modulus.encode()))
    if (
        not MIN_KEY_BITS <= number.bit_length() <= MAX_KEY_BITS
        or not number & 1
        or int.from_bytes(base64url_decode(exponent.encode())) != EXPONENT
    ):
        raise TokenError
    return kid, number


def _allows_verify(key_ops: object) -> bool:
    """Check "key_ops" (RFC 7517, section 4.3)."""
    return isinstance(key_ops, list) and "verify" in key_ops


def parse_moduli(document: Mapping[str, object]) -> dict[str, int]:
    """Return kid -> modulus of the usable keys in a JWK set (RFC 7517, section 5).

    Members that aren't RS256 signing keys are skipped. If a `kid` occurs twice, the first key
    counts.
    """
    members = document.get("keys")
    moduli: dict[str, int] = {}
    for jwk in members if isinstance(members, list) else ():
        try:
            kid, modulus = _key_modulus(jwk)
        except TokenError:
            continue
        moduli.setdefault(kid, modulus)
    return moduli


def public_keys(moduli: Mapping[str, int], backend: Backend) -> dict[str, PublicKey]:
    """Return kid -> key for the moduli of a key set."""
    return {kid: PublicKey(modulus, backend) for kid, modulus in moduli.items()}


class JwksCache:
    """The signing keys of one issuer."""

    def __init__(
        self,
        issuer: str,
        jwks_uri: str,
        seed: Mapping[str, int],
        *,
        backend: Backend,
        fetch: Fetch,
        clock: Callable[[], float],
        seed_age_s: float = 0,
    ) -> None:
        """`seed` has the moduli of the first key set, which was downloaded `seed_age_s` ago.

        `clock` returns monotonic seconds, because Lambda freezes the execution environment between
        requests.
        """
        self.issuer = issuer
        #: Increases with each new key set, so that a caller can drop results of an older one.
        self.generation = 0
        self._jwks_uri = jwks_uri
        self._backend = backend
        self._fetch = fetch
        self._clock = clock
        self._keys = public_keys(seed, backend)
        self._loaded_at = clock() - seed_age_s
        self._last_attempt_at: float | None = None
        self._last_attempt_failed = False
        self._fetch_lock = allocate_lock()

    def refresh_if_stale(self) -> None:
        """Fetch the key set if it is older than MAX_AGE_S.

        If that fails, keep the old keys.
        """
        if self._clock() - self._loaded_at >= MAX_AGE_S:
            self._refresh()

    def contains(self, kid: str) -> bool:
        """Return True if the key is cached. Never fetches."""
        return kid in self._keys

    def get_key(self, kid: str) -> PublicKey:
        """Return the key; fetch the key set if the `kid` is unknown.

        Raises:
            UnknownKeyError: The issuer's key set doesn't contain the key.
            KeysUnavailableError: The key set couldn't be fetched.
        """
        key = self._keys.get(kid)
        if key is None:
            self._refresh()
            key = self._keys.get(kid)
        if key is not None:
            return key
        if self._last_attempt_failed:
            raise KeysUnavailableError
        raise UnknownKeyError

    def _refresh(self) -> None:
        generation = self.generation
        with self._fetch_lock:
            # A caller that waited for the lock uses the other caller's result.
            if generation != self.generation:
                return
            if (
                self._last_attempt_at is not None
                and self._clock() - self._last_attempt_at < FETCH_COOLDOWN_S
            ):
                return
            self._last_attempt_at = self._clock()
            try:
                moduli = parse_moduli(parse_json_object(self._fetch(self._jwks_uri)))
                if not moduli:
                    raise FetchError(code="keys_empty")
            except EdgeAuthError:
                # Keep the cached keys: users stay signed in during an outage of the issuer.
                self._last_attempt_failed = True
                return
            self._last_attempt_failed = False
            self._keys = public_keys(moduli, self._backend)
            self._loaded_at = self._clock()
            self.generation += 1
