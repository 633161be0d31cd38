"""Signature verification with both RSA backends, and the backend's selection."""

import hashlib
import sys
import threading

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from hypothesis import given
from hypothesis import strategies as st

from edge_auth import libcrypto, rsa_backend
from edge_auth.libcrypto import Libcrypto, LibcryptoError
from edge_auth.rsa import EXPONENT, Backend, PublicKey, PublicKeyOperation, python_backend
from edge_auth.rsa_backend import passes_self_test, select_backend
from tests.unit.edge_auth import issuer

LIBCRYPTO = Libcrypto()
SIZES = (2_048, 2_049, 3_072, 4_096)


def modulus(bits: int) -> int:
    return issuer.private_key(f"rsa-{bits}", bits).public_key().public_numbers().n


def signature(bits: int, message: bytes) -> bytes:
    key = issuer.private_key(f"rsa-{bits}", bits)
    return key.sign(message, padding.PKCS1v15(), hashes.SHA256())


def test_libcrypto_is_selected_on_this_interpreter() -> None:
    assert isinstance(select_backend(), Libcrypto)


@pytest.mark.parametrize("bits", SIZES)
@given(data=st.data())
def test_both_backends_compute_the_same_power(bits: int, data: st.DataObject) -> None:
    number = data.draw(st.integers(0, modulus(bits) - 1))
    size = (modulus(bits).bit_length() + 7) // 8
    expected = pow(number, EXPONENT, modulus(bits)).to_bytes(size)
    assert python_backend(modulus(bits))(number.to_bytes(size)) == expected
    assert LIBCRYPTO(modulus(bits))(number.to_bytes(size)) == expected


@pytest.mark.parametrize("bits", SIZES)
@given(message=st.binary(max_size=80), flip=st.integers(0, 2_047), extra=st.binary(max_size=2))
def test_both_backends_accept_same_signatures(
    bits: int, message: bytes, flip: int, extra: bytes
) -> None:
    good = signature(bits, message)
    flipped = (int.from_bytes(good) ^ (1 << flip)).to_bytes(len(good))
    edge = modulus(bits).to_bytes(len(good))
    digest = hashlib.sha256(message).digest()
    keys = [PublicKey(modulus(bits), backend) for backend in (python_backend, LIBCRYPTO)]
    for key in keys:
        assert key.verify_signature(digest, good)
        for bad in (flipped, good + extra + b"\0", good[1:], b"\0" + good, b"", edge, extra):
            assert not key.verify_signature(digest, bad)
        assert not key.verify_signature(hashlib.sha256(message + b"x").digest(), good)


def test_signature_equal_to_modulus_is_rejected() -> None:
    number = modulus(2_048)
    for backend in (python_backend, LIBCRYPTO):
        key = PublicKey(number, backend)
        # (n-1)**65537 mod n = n-1, which isn't a valid block; n would result in zero.
        assert backend(number)((number - 1).to_bytes(256)) == (number - 1).to_bytes(256)
        assert not key.verify_signature(b"\0" * 32, number.to_bytes(256))


def test_malformed_padding_is_rejected() -> None:
    """Bleichenbacher's 2006 forgery exploits verifiers that parse the padding.

    The blocks are signed with the real key; only one has the required padding.
    """
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
    for backend in (python_backend, LIBCRYPTO):
        key = PublicKey(number, backend)
        for name, block in blocks.items():
            forged = pow(int.from_bytes(block.rjust(256, b"\0")), private.d, number).to_bytes(256)
            assert key.verify_signature(digest, forged) is (name == "good"), name


def test_constant_backend_fails_self_test() -> None:
    assert passes_self_test(python_backend)
    assert passes_self_test(LIBCRYPTO)

    def constant(_: int) -> PublicKeyOperation:
        return lambda signature: signature

    assert not passes_self_test(constant)


def test_missing_libcrypto_selects_python_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable() -> None:
        raise LibcryptoError

    monkeypatch.setattr(libcrypto, "_load_library", unreachable)
    assert rsa_backend.select_backend.__wrapped__() is python_backend


def test_library_without_openssl_functions_selects_python_backend(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Empty:
        pass

    monkeypatch.setattr(libcrypto, "_load_library", Empty)
    assert rsa_backend.select_backend.__wrapped__() is python_backend


@pytest.mark.parametrize("backend", [python_backend, LIBCRYPTO], ids=["pure", "libcrypto"])
def test_threads_can_share_key(backend: Backend) -> None:
    key = PublicKey(modulus(2_048), backend)
    messages = [f"message {number}".encode() for number in range(8)]
    signed = [(hashlib.sha256(it).digest(), signature(2_048, it)) for it in messages]
    wrong: list[tuple[int, int]] = []

    def work(mine: int) -> None:
        for turn in range(60):
            other = (mine + turn) % len(signed)
            if key.verify_signature(signed[mine][0], signed[other][1]) is not (mine == other):
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
