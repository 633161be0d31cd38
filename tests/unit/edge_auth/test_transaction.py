"""The state of a sign-in: sealed, tied to one browser, ten minutes."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_auth import transaction
from edge_auth.encoding import decode, encode
from edge_auth.errors import SignInError, StateError
from edge_auth.transaction import Transaction

NOW = 1_790_000_000
SECRETS = st.binary(min_size=32, max_size=32)


@given(SECRETS, st.text(min_size=1, max_size=80))
def test_a_state_opens_for_its_own_transaction_only(secret: bytes, target: str) -> None:
    begun = Transaction(secret)
    state = begun.state(target, NOW)
    assert transaction.id_of(state) == begun.id
    assert transaction.restored(begun.kept(NOW)).target(state, NOW) == target
    with pytest.raises(StateError):
        Transaction(hashlib.sha256(secret).digest()).target(state, NOW)


@given(SECRETS, st.data())
def test_a_changed_state_is_refused(secret: bytes, data: st.DataObject) -> None:
    begun = Transaction(secret)
    raw = bytearray(decode(begun.state("/premium/a", NOW).encode()))
    index = data.draw(st.integers(9, len(raw) - 1))  # the first nine only find the cookie
    raw[index] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(SignInError):
        begun.target(encode(bytes(raw)), NOW)


def test_pkce_is_s256_of_a_verifier_of_legal_length() -> None:
    begun = Transaction(b"s" * 32)
    assert 43 <= len(begun.code_verifier) <= 128
    assert begun.code_challenge == encode(hashlib.sha256(begun.code_verifier.encode()).digest())


def test_nothing_derived_gives_another_away() -> None:
    begun = Transaction(b"s" * 32)
    secret = encode(b"s" * 32)
    parts = [begun.id, begun.nonce, begun.code_verifier, begun.code_challenge, secret]
    assert len(set(parts)) == len(parts)
    assert "premium" not in begun.state("/premium/secret-page", NOW)


@pytest.mark.parametrize("state", ["", "A", "====", "é", "A" * 4_097, "AAAA", "{}", "A" * 40])
def test_what_is_no_state(state: str) -> None:
    with pytest.raises(StateError):
        transaction.id_of(state)


@pytest.mark.parametrize("kept", ["", "x", "1.", "1.AAAA", "1.é", "." + "A" * 44])
def test_what_is_no_transaction(kept: str) -> None:
    with pytest.raises(StateError):
        transaction.restored(kept)


@pytest.mark.parametrize(("kept", "moment"), [("a.x", 10), ("", 0), ("zz.x", 0), ("-1", -1)])
def test_when_it_was_started(kept: str, moment: int) -> None:
    assert transaction.started(kept) == moment
