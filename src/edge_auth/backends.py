"""Which modular power serves: libcrypto's where it proves itself, else Python's own."""

from binascii import a2b_base64
from functools import cache

from edge_auth.digest import sha256
from edge_auth.rsa import Backend, PublicKey, pure

# A known answer: this key signed this message.
_MESSAGE = b"edge_auth"
_MODULUS = (
    "9P1/pTOJkMmqquDCMv+C4R6DXEXNpbsOWIMQH/TZpd6z1AcnVay7qjnQguLjej/gqkfPL8LXQIhU+2K1TX4vJK9c"
    "UZHkvC+bAW/7WqDXK3xhb4B66lStcAvOB0nxn6hFFoZFt10LVM5qXe+wUys8PJfJcW2/V9RdTJzyv1atdbmGj2Y1"
    "Ovi70Z6KyVD75tDoR5pR5ZQtH+fgRcB3ttq2sAeaQvyDV7gFc2MiVPMgmpAMCIPI+BYREOeEHcc6AdMJXsoOb7Cu"
    "JMG2m4ectPSm6Gou9hXkNqM3bP4TDZN+lkvqEdmOjvIvxKVurKiCIyiKDrmT344VJtLPLMS/bjBTQw=="
)
_SIGNATURE = (
    "5T8g2HdZDRMNSRb9/kHiUigI/Ut5shroCKshAHwSBGsGKaLG91wEsiQDVwQxVCP5PV6WWNpLC+/H5FucQGUvyqgA"
    "g9m9zr+6+pECWRF1Rl7QJ1ZZGRzH8YOoCuLYsOY61OH4buKTqhS5fMwWeAB+UgwZfPcEWKbzk2B0WW7wRgm/emP3"
    "ZTg0SaZ1rSvXrQWJOHu4CKwEfcGnF1hWB5yCcF/mkRAIHfyADcyl6ahve++K15uwAwe/FWyEuS8RS4zSBDH+2G+P"
    "J+F65cIMxweg7HJGsTZaU7ZGjADORWis0jqU2iYAlvjYCST4StLF7qoOIf6m7wFx+oAxhOXvtoytIA=="
)


def proves_itself(backend: Backend) -> bool:
    """True when the backend accepts the known signature and refuses it with one bit changed."""
    key = PublicKey(int.from_bytes(a2b_base64(_MODULUS)), backend)
    good = a2b_base64(_SIGNATURE)
    bad = good[:-1] + bytes((good[-1] ^ 1,))
    digest = sha256(_MESSAGE).digest()
    return key.verifies(digest, good) and not key.verifies(digest, bad)


@cache
def fastest() -> Backend:
    """The backend of this process, chosen once.

    Whatever keeps libcrypto from being reached or from giving the known answer means `pure`: both
    give the same verdicts, so this is no loss of safety.
    """
    try:
        from edge_auth.libcrypto import Libcrypto, LibcryptoError
    except ImportError:  # an interpreter without ctypes
        return pure
    try:
        backend = Libcrypto()
        return backend if proves_itself(backend) else pure
    except LibcryptoError:
        return pure
