"""One sign-in from its start to its callback: what ties the two together.

Everything comes from one random secret that only the browser keeps, in a cookie of this very
transaction: the PKCE verifier (RFC 7636), the nonce (OpenID Connect Core, section 3.1.2.1) and the
keys that seal the state (RFC 6749, section 10.12). So nothing is stored here, there is no signing
key to rotate, and any number of tabs can sign in at once.
"""

import hashlib
import hmac

from edge_auth.encoding import decode, encode
from edge_auth.errors import SignInExpiredError, StateError, TokenError

SECRET_BYTES = 32
LIFETIME = 600  # seconds from the redirect to the callback
_ID, _MAC, _TIME = 9, 16, 5  # bytes
MAXIMUM_STATE = 4_096


class Transaction:
    """A sign-in under way, known by its secret."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self.id = encode(self._derived("id")[:_ID])
        self.code_verifier = encode(self._derived("code_verifier"))
        self.nonce = encode(self._derived("nonce"))
        # RFC 7636, section 4.2, S256
        self.code_challenge = encode(hashlib.sha256(self.code_verifier.encode()).digest())

    def _derived(self, purpose: str) -> bytes:
        return hmac.digest(self._secret, purpose.encode(), "sha256")

    def _veiled(self, data: bytes) -> bytes:
        """XOR with a key stream that only this transaction has and that serves this once. The
        return address is nobody's business on the way; hiding it a second time shows it."""
        stream = hashlib.shake_256(self._derived("veil")).digest(len(data))
        return bytes(left ^ right for left, right in zip(data, stream, strict=True))

    def _mac(self, data: bytes) -> bytes:
        return hmac.digest(self._derived("mac"), data, "sha256")[:_MAC]

    def state(self, target: str, now: float) -> str:
        """The opaque state that carries the return address and the time of the start."""
        sealed = self._veiled(int(now).to_bytes(_TIME) + target.encode())
        return encode(decode(self.id.encode()) + self._mac(sealed) + sealed)

    def target(self, state: str, now: float) -> str:
        """The return address in a state that this transaction made.

        Raises StateError, and SignInExpiredError after ten minutes.
        """
        data = _state_bytes(state)
        mac, sealed = data[_ID : _ID + _MAC], data[_ID + _MAC :]
        if not hmac.compare_digest(mac, self._mac(sealed)):
            raise StateError
        opened = self._veiled(sealed)
        if not 0 <= now - int.from_bytes(opened[:_TIME]) <= LIFETIME:
            raise SignInExpiredError
        return opened[_TIME:].decode()

    def kept(self, now: float) -> str:
        """The value of the transaction's cookie: the time, so that the oldest can go first, and
        the secret."""
        return f"{int(now):x}.{encode(self._secret)}"


def id_of(state: str) -> str:
    """The id of the transaction that a state belongs to. Raises StateError."""
    return encode(_state_bytes(state)[:_ID])


def restored(kept: str) -> Transaction:
    """The transaction of a cookie's value. Raises StateError."""
    try:
        secret = decode(kept.partition(".")[2].encode("ascii"))
    except (TokenError, UnicodeEncodeError) as error:
        raise StateError from error
    if len(secret) != SECRET_BYTES:
        raise StateError
    return Transaction(secret)


def started(kept: str) -> int:
    """When a transaction's cookie was made, by the browser's word: good for tidying up only."""
    try:
        return int(kept.partition(".")[0][:12], 16)
    except ValueError:
        return 0


def _state_bytes(state: str) -> bytes:
    if len(state) > MAXIMUM_STATE:
        raise StateError
    try:
        data = decode(state.encode("ascii"))
    except (TokenError, UnicodeEncodeError) as error:
        raise StateError from error
    if len(data) <= _ID + _MAC + _TIME:
        raise StateError
    return data
