"""The issuer's signing keys: what is believed, for how long, and when to ask again."""

from _thread import allocate_lock
from collections.abc import Callable, Mapping

from edge_auth.encoding import decode, json_object
from edge_auth.errors import (
    EdgeAuthError,
    FetchError,
    KeysUnavailableError,
    TokenError,
    UnknownKeyError,
)
from edge_auth.jws import MAXIMUM_KID
from edge_auth.rsa import EXPONENT, MAXIMUM_BITS, MINIMUM_BITS, Backend, PublicKey

type Fetch = Callable[[str], bytes]
"""address -> body of a 200 answer; raises FetchError. Bounded in size and time, no redirects."""

MAXIMUM_DOCUMENT = 65_536  # bytes; Cognito's has about 900
# Between two fetches, failed ones included: a stranger's invented `kid` must not cost more.
COOLDOWN = 30  # seconds
# AWS, "Verifying JSON web tokens": "Amazon Cognito might rotate signing keys […] refresh the cache
# periodically". Old keys die after this, as long as the issuer answers.
MAXIMUM_AGE = 21_600  # seconds


def _public_key(jwk: object, backend: Backend) -> tuple[str, PublicKey]:
    """One member of a key set. Raises TokenError for what is no RS256 signing key."""
    if not isinstance(jwk, dict):
        raise TokenError
    kid, modulus, exponent = jwk.get("kid"), jwk.get("n"), jwk.get("e")
    if (
        jwk.get("kty") != "RSA"
        or jwk.get("use", "sig") != "sig"
        or jwk.get("alg", "RS256") != "RS256"
        or not _may_verify(jwk.get("key_ops", ["verify"]))
        or not isinstance(kid, str)
        or not 0 < len(kid) <= MAXIMUM_KID
        or not isinstance(modulus, str)
        or not isinstance(exponent, str)
        or not (modulus + exponent).isascii()
        or len(modulus) > MAXIMUM_BITS
    ):
        raise TokenError
    number = int.from_bytes(decode(modulus.encode()))
    if (
        not MINIMUM_BITS <= number.bit_length() <= MAXIMUM_BITS
        or not number & 1
        or int.from_bytes(decode(exponent.encode())) != EXPONENT
    ):
        raise TokenError
    return kid, PublicKey(number, backend)


def _may_verify(operations: object) -> bool:
    """RFC 7517, section 4.3."""
    return isinstance(operations, list) and "verify" in operations


def read_keys(document: Mapping[str, object], backend: Backend) -> dict[str, PublicKey]:
    """kid -> key of a JWK set (RFC 7517, section 5). A bad member is skipped; of two with one `kid`
    the first counts."""
    members = document.get("keys")
    keys: dict[str, PublicKey] = {}
    for jwk in members if isinstance(members, list) else ():
        try:
            kid, key = _public_key(jwk, backend)
        except TokenError:
            continue
        keys.setdefault(kid, key)
    return keys


class KeyRing:
    """The keys of exactly one issuer, seeded at deployment, fetched only when that can help."""

    def __init__(
        self,
        issuer: str,
        address: str,
        seed: Mapping[str, object],
        *,
        backend: Backend,
        fetch: Fetch,
        clock: Callable[[], float],
    ) -> None:
        """`clock` is monotonic, in seconds: a sandbox at the edge is frozen between requests."""
        self.issuer = issuer
        self.generation = 0
        self._address = address
        self._backend = backend
        self._fetch = fetch
        self._clock = clock
        self._keys = read_keys(seed, backend)
        self._loaded = clock()
        self._asked: float | None = None
        self._failed = False
        self._flight = allocate_lock()

    def fresh(self) -> None:
        """Asks for the keys again when they are too old. Stale ones serve if that fails."""
        if self._clock() - self._loaded >= MAXIMUM_AGE:
            self._ask()

    def holds(self, kid: str) -> bool:
        """True when the key is known without asking."""
        return kid in self._keys

    def find(self, kid: str) -> PublicKey:
        """The key of that name; asks the issuer when there is none.

        Raises UnknownKeyError, and KeysUnavailableError when the issuer could not be asked.
        """
        key = self._keys.get(kid)
        if key is None:
            self._ask()
            key = self._keys.get(kid)
        if key is not None:
            return key
        if self._failed:
            raise KeysUnavailableError
        raise UnknownKeyError

    def _ask(self) -> None:
        generation = self.generation
        with self._flight:
            # Whoever waited here for another's flight uses what it brought, or its cooldown.
            if generation != self.generation:
                return
            if self._asked is not None and self._clock() - self._asked < COOLDOWN:
                return
            self._asked = self._clock()
            try:
                keys = read_keys(json_object(self._fetch(self._address)), self._backend)
                if not keys:
                    raise FetchError(code="keys_empty")
            except EdgeAuthError:
                # Known keys stay: an outage of the issuer signs nobody out.
                self._failed = True
                return
            self._failed = False
            self._keys = keys
            self._loaded = self._clock()
            self.generation += 1
