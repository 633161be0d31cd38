"""RSASSA-PKCS1-v1_5 with SHA-256: encode the block that must be there, compare (RFC 8017 §8.2.2).

The padding of a signature is never parsed. The only step with two backends is RSAVP1, the modular
power: `edge_auth.libcrypto` or `pure`. Everything that decides lies here, in front of and behind
it, so that both backends give the same verdict by construction.
"""

from collections.abc import Callable

from edge_auth.digest import compare_digest

# RFC 8017, section 9.2, note 1: DER of DigestInfo for SHA-256, without the digest.
_DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
EXPONENT = 65_537
# NIST SP 800-131A: below 2048 bits is not allowed. Above 4096 each request would cost milliseconds.
MINIMUM_BITS = 2_048
MAXIMUM_BITS = 4_096

type Power = Callable[[bytes], bytes]
"""signature -> signature ** 65537 mod n; both big-endian, below n and as long as n."""
type Backend = Callable[[int], Power]
"""modulus -> its Power"""


def pure(modulus: int) -> Power:
    """RSAVP1 by Python's own integers (RFC 8017, section 5.2.2)."""
    bits = modulus.bit_length()
    size = (bits + 7) // 8
    # A product is twice as long as n. Dividing all of that by n is most of pow()'s time, and Python
    # multiplies faster than it divides: what lies above 3/2, then above 5/4 of n's length is first
    # folded down, 2**k being congruent to (2**k mod n). An eighth faster than pow(). Folds are
    # aligned to Python's digits of 30 bits.
    upper, lower = bits * 3 // 2 // 30 * 30, bits * 5 // 4 // 30 * 30
    upper_fold, lower_fold = pow(2, upper, modulus), pow(2, lower, modulus)
    upper_mask, lower_mask = (1 << upper) - 1, (1 << lower) - 1

    def power(signature: bytes) -> bytes:
        base = value = int.from_bytes(signature)
        for _ in range(16):  # 65537 = 2**16 + 1
            value *= value
            value = (value >> upper) * upper_fold + (value & upper_mask)
            value = ((value >> lower) * lower_fold + (value & lower_mask)) % modulus
        return (value * base % modulus).to_bytes(size)

    return power


class PublicKey:
    """One RSA key of an issuer, ready to verify."""

    __slots__ = ("_block", "_edge", "_power", "size")

    def __init__(self, modulus: int, backend: Backend) -> None:
        self.size = (modulus.bit_length() + 7) // 8
        self._edge = modulus.to_bytes(self.size)
        filler = b"\xff" * (self.size - len(_DIGEST_INFO) - 32 - 3)
        self._block = b"\x00\x01" + filler + b"\x00" + _DIGEST_INFO
        self._power = backend(modulus)

    def verifies(self, digest: bytes, signature: bytes) -> bool:
        """True when the key's holder signed the message with this SHA-256."""
        # RFC 8017, section 8.2.2, step 1, and section 5.2.2, step 1: as long as n, and below n.
        if len(signature) != self.size or signature >= self._edge:
            return False
        return compare_digest(self._power(signature), self._block + digest)
