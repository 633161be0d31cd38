"""The state of a pending sign-in, which connects the redirect to Cognito with its callback.

Everything is derived from one random secret that only the browser stores, in a cookie per sign-in:
the PKCE code verifier (RFC 7636), the nonce (OpenID Connect Core, section 3.1.2.1) and the keys
that encrypt and authenticate the `state` parameter (RFC 6749, section 10.12). The server stores
nothing and has no signing key to rotate, and several tabs can sign in at the same time.
"""

import hashlib
import hmac
from typing import Final

from edge_auth.encoding import base64url_decode, base64url_encode
from edge_auth.errors import SignInExpiredError, StateError, TokenError

SECRET_BYTES: Final = 32
LIFETIME_S: Final = 600  # from the redirect to the callback
# A visitor who returns later, for example the next morning, gets the page that they requested.
COOKIE_LIFETIME_S: Final = 86_400
# A completed sign-in keeps its cookie, for the back button and for a reloaded callback.
COMPLETED_LIFETIME_S: Final = 600
_COMPLETED_PREFIX: Final = "x"
MAX_STATE_CHARS: Final = 4_096
# Layout of the state: id, MAC, encrypted(start time, return URL).
ID_BYTES: Final = 9
MAC_BYTES: Final = 16
TIME_BYTES: Final = 5


class SignInState:
    """A pending sign-in and the values derived from its secret."""

    def __init__(self, secret: bytes) -> None:
        """Derive all values from `secret`, SECRET_BYTES random bytes."""
        self._secret = secret
        self.id = base64url_encode(self._derive("id")[:ID_BYTES])
        self.code_verifier = base64url_encode(self._derive("code_verifier"))
        self.nonce = base64url_encode(self._derive("nonce"))
        # RFC 7636, section 4.2, S256
        self.code_challenge = base64url_encode(hashlib.sha256(self.code_verifier.encode()).digest())

    def _derive(self, purpose: str) -> bytes:
        return hmac.digest(self._secret, purpose.encode(), "sha256")

    def _encrypt(self, data: bytes) -> bytes:
        """XOR with a key stream that is unique to this sign-in and encrypts one state only.

        The return URL is private. A second call decrypts.
        """
        stream = hashlib.shake_256(self._derive("veil")).digest(len(data))
        return bytes(left ^ right for left, right in zip(data, stream, strict=True))

    def _mac(self, data: bytes) -> bytes:
        return hmac.digest(self._derive("mac"), data, "sha256")[:MAC_BYTES]

    def seal(self, return_to: str, now: float) -> str:
        """Return the `state` parameter, which contains the start time and the return URL."""
        sealed = self._encrypt(int(now).to_bytes(TIME_BYTES) + return_to.encode())
        return base64url_encode(base64url_decode(self.id.encode()) + self._mac(sealed) + sealed)

    def open(self, state: str, now: float) -> str:
        """Return the return URL of a state that this sign-in sealed.

        Raises:
            StateError: The state is malformed or belongs to another sign-in.
            SignInExpiredError: The sign-in started more than LIFETIME_S ago.
        """
        started, return_to = self.unseal(state)
        if not 0 <= now - started <= LIFETIME_S:
            raise SignInExpiredError
        return return_to

    def unseal(self, state: str) -> tuple[int, str]:
        """Return start time and return URL of a state that this sign-in sealed, of any age.

        Raises:
            StateError: The state is malformed or belongs to another sign-in.
        """
        data = _decode_state(state)
        mac, sealed = data[ID_BYTES : ID_BYTES + MAC_BYTES], data[ID_BYTES + MAC_BYTES :]
        if not hmac.compare_digest(mac, self._mac(sealed)):
            raise StateError
        opened = self._encrypt(sealed)
        return int.from_bytes(opened[:TIME_BYTES]), opened[TIME_BYTES:].decode()

    def cookie_value(self, now: float) -> str:
        """Return the cookie's value: start time in hexadecimal, and the secret.

        The time lets `sign_in` delete the oldest cookies first.
        """
        return f"{int(now):x}.{base64url_encode(self._secret)}"

    def completed_cookie_value(self) -> str:
        """Return the cookie's value after the callback: it opens the state, but no exchange."""
        return f"{_COMPLETED_PREFIX}.{base64url_encode(self._secret)}"


def is_completed(cookie_value: str) -> bool:
    """Return True if the sign-in's callback was handled."""
    return cookie_value.startswith(_COMPLETED_PREFIX)


def read_id(state: str) -> str:
    """Return the id of the sign-in that a state belongs to.

    Raises:
        StateError: The state is malformed.
    """
    return base64url_encode(_decode_state(state)[:ID_BYTES])


def from_cookie(cookie_value: str) -> SignInState:
    """Return the sign-in that a cookie's value contains.

    Raises:
        StateError: The value is malformed.
    """
    try:
        secret = base64url_decode(cookie_value.partition(".")[2].encode("ascii"))
    except (TokenError, UnicodeEncodeError) as error:
        raise StateError from error
    if len(secret) != SECRET_BYTES:
        raise StateError
    return SignInState(secret)


def started_at(cookie_value: str) -> int:
    """Return the start time in a cookie's value, or 0.

    The value isn't authenticated, so it only decides which cookies to delete first.
    """
    try:
        return int(cookie_value.partition(".")[0][:12], 16)
    except ValueError:
        return 0


def _decode_state(state: str) -> bytes:
    if len(state) > MAX_STATE_CHARS:
        raise StateError
    try:
        data = base64url_decode(state.encode("ascii"))
    except (TokenError, UnicodeEncodeError) as error:
        raise StateError from error
    if len(data) <= ID_BYTES + MAC_BYTES + TIME_BYTES:
        raise StateError
    return data
