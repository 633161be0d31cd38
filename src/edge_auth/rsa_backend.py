"""Select the RSA backend: libcrypto if it passes a self-test, otherwise Python integers."""

from binascii import a2b_base64
from functools import cache
from typing import Final

from edge_auth.digest import sha256
from edge_auth.rsa import Backend, PublicKey, python_backend

# A known-answer test: this key signed this message.
_MESSAGE: Final = b"edge_auth"
_MODULUS: Final = (
    "9P1/pTOJkMmqquDCMv+C4R6DXEXNpbsOWIMQH/TZpd6z1AcnVay7qjnQguLjej/gqkfPL8LXQIhU+2K1TX4vJK9c"
    "UZHkvC+bAW/7WqDXK3xhb4B66lStcAvOB0nxn6hFFoZFt10LVM5qXe+wUys8PJfJcW2/V9RdTJzyv1atdbmGj2Y1"
    "Ovi70Z6KyVD75tDoR5pR5ZQtH+fgRcB3ttq2sAeaQvyDV7gFc2MiVPMgmpAMCIPI+BYREOeEHcc6AdMJXsoOb7Cu"
    "JMG2m4ectPSm6Gou9hXkNqM3bP4TDZN+lkvqEdmOjvIvxKVurKiCIyiKDrmT344VJtLPLMS/bjBTQw=="
)
_SIGNATURE: Final = (
    "5T8g2HdZDRMNSRb9/kHiUigI/Ut5shroCKshAHwSBGsGKaLG91wEsiQDVwQxVCP5PV6WWNpLC+/H5FucQGUvyqgA"
    "g9m9zr+6+pECWRF1Rl7QJ1ZZGRzH8YOoCuLYsOY61OH4buKTqhS5fMwWeAB+UgwZfPcEWKbzk2B0WW7wRgm/emP3"
    "ZTg0SaZ1rSvXrQWJOHu4CKwEfcGnF1hWB5yCcF/mkRAIHfyADcyl6ahve++K15uwAwe/FWyEuS8RS4zSBDH+2G+P"
    "J+F65cIMxweg7HJGsTZaU7ZGjADORWis0jqU2iYAlvjYCST4StLF7qoOIf6m7wFx+oAxhOXvtoytIA=="
)


def passes_self_test(backend: Backend) -> bool:
    """Return True if the backend accepts a known signature and rejects one with a changed bit."""
    key = PublicKey(int.from_bytes(a2b_base64(_MODULUS)), backend)
    good = a2b_base64(_SIGNATURE)
    bad = good[:-1] + bytes((good[-1] ^ 1,))
    digest = sha256(_MESSAGE).digest()
    return key.verify_signature(digest, good) and not key.verify_signature(digest, bad)


@cache
def select_backend() -> Backend:
    """Return the fastest backend that works in this process.

    If libcrypto can't be loaded or fails the self-test, the function returns `python_backend`. Both
    backends accept the same signatures, so the fallback is slower but equally safe.
    """
    try:
        from edge_auth.libcrypto import Libcrypto, LibcryptoError
    except ImportError:  # an interpreter without ctypes
        return python_backend
    try:
        backend = Libcrypto()
        return backend if passes_self_test(backend) else python_backend
    except LibcryptoError:
        return python_backend
