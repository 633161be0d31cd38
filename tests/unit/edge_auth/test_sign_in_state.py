"""The `state` of a sign-in: encrypted, bound to one browser, valid for ten minutes."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_auth import sign_in_state
from edge_auth.encoding import base64url_decode, base64url_encode
from edge_auth.errors import SignInError, StateError
from edge_auth.sign_in_state import ID_BYTES, SignInState

NOW = 1_790_000_000
SECRETS = st.binary(min_size=32, max_size=32)
RETURN_URL = "/premium/secret-page"


@given(SECRETS, st.text(min_size=1, max_size=80))
def test_state_opens_only_for_its_own_sign_in(secret: bytes, return_to: str) -> None:
    pending = SignInState(secret)
    state = pending.seal(return_to, NOW)
    assert sign_in_state.read_id(state) == pending.id
    restored = sign_in_state.from_cookie(pending.cookie_value(NOW))
    assert restored.open(state, NOW) == return_to
    with pytest.raises(StateError):
        SignInState(hashlib.sha256(secret).digest()).open(state, NOW)


@given(SECRETS, st.data())
def test_changed_state_is_rejected(secret: bytes, data: st.DataObject) -> None:
    """The first ID_BYTES only select the cookie, so the change is behind them."""
    pending = SignInState(secret)
    raw = bytearray(base64url_decode(pending.seal("/premium/a", NOW).encode()))
    index = data.draw(st.integers(ID_BYTES, len(raw) - 1))
    raw[index] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(SignInError):
        pending.open(base64url_encode(bytes(raw)), NOW)


def test_pkce_challenge_is_s256_of_verifier() -> None:
    """RFC 7636, section 4.1: a verifier has 43 to 128 characters."""
    pending = SignInState(b"s" * 32)
    assert 43 <= len(pending.code_verifier) <= 128
    digest = hashlib.sha256(pending.code_verifier.encode()).digest()
    assert pending.code_challenge == base64url_encode(digest)


def test_derived_values_are_distinct() -> None:
    pending = SignInState(b"s" * 32)
    secret = base64url_encode(b"s" * 32)
    values = [pending.id, pending.nonce, pending.code_verifier, pending.code_challenge, secret]
    assert len({value[: len(pending.id)] for value in values}) == len(values)


@given(SECRETS)
def test_state_contains_neither_return_url_nor_start_time_nor_secrets(secret: bytes) -> None:
    """The bytes are decoded first: base64url would hide a plain value from the comparison."""
    pending = SignInState(secret)
    data = base64url_decode(pending.seal(RETURN_URL, NOW).encode())
    verifier = base64url_decode(pending.code_verifier.encode())
    nonce = base64url_decode(pending.nonce.encode())
    for plain in (RETURN_URL.encode(), b"secret-page", NOW.to_bytes(5), secret, verifier, nonce):
        assert plain not in data


@pytest.mark.parametrize("state", ["", "A", "====", "é", "A" * 4_097, "AAAA", "{}", "A" * 40])
def test_malformed_state_is_rejected(state: str) -> None:
    with pytest.raises(StateError):
        sign_in_state.read_id(state)


@pytest.mark.parametrize("value", ["", "x", "1.", "1.AAAA", "1.é", "." + "A" * 44])
def test_malformed_cookie_is_rejected(value: str) -> None:
    with pytest.raises(StateError):
        sign_in_state.from_cookie(value)


@pytest.mark.parametrize(("value", "time"), [("a.x", 10), ("", 0), ("zz.x", 0), ("-1", -1)])
def test_start_time_is_read_from_cookie(value: str, time: int) -> None:
    assert sign_in_state.started_at(value) == time
