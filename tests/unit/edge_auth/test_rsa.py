"""Both backends, and the few lines that decide for both."""

import hashlib
import sys
import threading

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from hypothesis import given
from hypothesis import strategies as st

from edge_auth import backends, libcrypto
from edge_auth.backends import fastest, proves_itself
from edge_auth.libcrypto import Libcrypto, LibcryptoError
from edge_auth.rsa import EXPONENT, Backend, Power, PublicKey, pure
from tests.unit.edge_auth import issuer

LIBCRYPTO = Libcrypto()
SIZES = (2_048, 2_049, 3_072, 4_096)


def modulus(bits: int) -> int:
    return issuer.private_key(f"rsa-{bits}", bits).public_key().public_numbers().n


def signature(bits: int, message: bytes) -> bytes:
    key = issuer.private_key(f"rsa-{bits}", bits)
    return key.sign(message, padding.PKCS1v15(), hashes.SHA256())


def test_libcrypto_is_reached_on_this_interpreter() -> None:
    assert isinstance(fastest(), Libcrypto)


@pytest.mark.parametrize("bits", SIZES)
@given(data=st.data())
def test_both_backends_compute_the_same_power(bits: int, data: st.DataObject) -> None:
    number = data.draw(st.integers(0, modulus(bits) - 1))
    size = (modulus(bits).bit_length() + 7) // 8
    expected = pow(number, EXPONENT, modulus(bits)).to_bytes(size)
    assert pure(modulus(bits))(number.to_bytes(size)) == expected
    assert LIBCRYPTO(modulus(bits))(number.to_bytes(size)) == expected


@pytest.mark.parametrize("bits", SIZES)
@given(message=st.binary(max_size=80), flip=st.integers(0, 2_047), extra=st.binary(max_size=2))
def test_both_backends_give_the_same_verdict(
    bits: int, message: bytes, flip: int, extra: bytes
) -> None:
    good = signature(bits, message)
    flipped = (int.from_bytes(good) ^ (1 << flip)).to_bytes(len(good))
    edge = modulus(bits).to_bytes(len(good))
    digest = hashlib.sha256(message).digest()
    keys = [PublicKey(modulus(bits), backend) for backend in (pure, LIBCRYPTO)]
    for key in keys:
        assert key.verifies(digest, good)
        for bad in (flipped, good + extra + b"\0", good[1:], b"\0" + good, b"", edge, extra):
            assert not key.verifies(digest, bad)
        assert not key.verifies(hashlib.sha256(message + b"x").digest(), good)


def test_the_signature_that_is_one_below_the_modulus_is_computed_and_n_itself_is_not() -> None:
    number = modulus(2_048)
    for backend in (pure, LIBCRYPTO):
        key = PublicKey(number, backend)
        # (n-1)**65537 mod n = n-1, whose block is none of ours; n would be zero.
        assert backend(number)((number - 1).to_bytes(256)) == (number - 1).to_bytes(256)
        assert not key.verifies(b"\0" * 32, number.to_bytes(256))


def test_a_lenient_padding_is_refused() -> None:
    """Bleichenbacher's forgery of 2006 lives on checks that parse the padding: here the block is
    compared as a whole. Signed with the real key: a shorter filler, with garbage behind."""
    private = issuer.private_key("rsa-2048", 2_048).private_numbers()
    number = private.public_numbers.n
    digest = hashlib.sha256(b"message").digest()
    info = bytes.fromhex("3031300d060960864801650304020105000420") + digest
    good = b"\x00\x01" + b"\xff" * 202 + b"\x00" + info
    blocks = {
        "good": good,
        "garbage": b"\x00\x01" + b"\xff" * 8 + b"\x00" + info + b"\x00" * 194,
        "type 2": b"\x00\x02" + good[2:],
        "no NULL": b"\x00\x01" + b"\xff" * 204 + b"\x00" + info.replace(b"\x05\x00", b"", 1)[:51],
        "no filler": b"\x00" * 204 + b"\x00" + info,
    }
    for backend in (pure, LIBCRYPTO):
        key = PublicKey(number, backend)
        for name, block in blocks.items():
            forged = pow(int.from_bytes(block.rjust(256, b"\0")), private.d, number).to_bytes(256)
            assert key.verifies(digest, forged) is (name == "good"), name


def test_a_backend_that_says_yes_to_everything_does_not_prove_itself() -> None:
    assert proves_itself(pure)
    assert proves_itself(LIBCRYPTO)

    def constant(_: int) -> Power:
        return lambda signature: signature

    assert not proves_itself(constant)


def test_without_libcrypto_the_pure_backend_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable() -> None:
        raise LibcryptoError

    monkeypatch.setattr(libcrypto, "_library", unreachable)
    assert backends.fastest.__wrapped__() is pure


def test_a_library_without_our_functions_is_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    class Empty:
        pass

    monkeypatch.setattr(libcrypto, "_library", Empty)
    assert backends.fastest.__wrapped__() is pure


@pytest.mark.parametrize("backend", [pure, LIBCRYPTO], ids=["pure", "libcrypto"])
def test_threads_that_share_a_key_do_not_disturb_each_other(backend: Backend) -> None:
    key = PublicKey(modulus(2_048), backend)
    messages = [f"message {number}".encode() for number in range(8)]
    signed = [(hashlib.sha256(it).digest(), signature(2_048, it)) for it in messages]
    wrong: list[tuple[int, int]] = []

    def work(mine: int) -> None:
        for turn in range(60):
            other = (mine + turn) % len(signed)
            if key.verifies(signed[mine][0], signed[other][1]) is not (mine == other):
                wrong.append((mine, other))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work, args=(mine,)) for mine in range(len(signed))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert wrong == []
