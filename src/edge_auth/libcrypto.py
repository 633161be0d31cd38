"""RSA backend that calls the interpreter's own libcrypto (OpenSSL) through ctypes.

`_hashlib` is linked to libcrypto. Opening that extension's file again makes OpenSSL's functions
available without a library name or path. PyDLL holds the GIL during a call, which makes a call
cheaper and lets threads share a key's context. Each call uses a separate output buffer.
"""

import ctypes
from collections.abc import Callable
from ctypes import POINTER, byref, c_char, c_char_p, c_int, c_long, c_size_t, c_void_p
from functools import partial
from typing import Final

from edge_auth.rsa import EXPONENT, PublicKeyOperation

_RSA_NO_PADDING: Final = 3  # openssl/rsa.h
_RSA_ENCRYPTION: Final = bytes.fromhex("300d06092a864886f70d0101010500")  # RFC 8017, appendix A.1


class LibcryptoError(Exception):
    """Raised when libcrypto can't be loaded, or a call that must succeed fails."""


def _load_library() -> ctypes.PyDLL:
    try:
        import _hashlib

        # Without a file, the module is built into the interpreter: None opens the program itself.
        return ctypes.PyDLL(getattr(_hashlib, "__file__", None))
    except (ImportError, OSError) as error:
        raise LibcryptoError from error


def _function(
    library: ctypes.PyDLL, name: str, result: type | None, *arguments: type
) -> Callable[..., int]:
    try:
        function = getattr(library, name)
    except AttributeError as error:
        raise LibcryptoError from error
    function.restype, function.argtypes = result, arguments
    return function  # type: ignore[no-any-return]  # a library's attributes are untyped


def _der(tag: int, content: bytes) -> bytes:
    """Encode one DER element (X.690, section 8.1)."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(length))) + length + content


def _integer(value: int) -> bytes:
    return _der(0x02, value.to_bytes(value.bit_length() // 8 + 1))


def _public_key_info(modulus: int) -> bytes:
    """Return the SubjectPublicKeyInfo (RFC 5280, section 4.1) of an RSA key in DER."""
    key = _der(0x30, _integer(modulus) + _integer(EXPONENT))
    return _der(0x30, _RSA_ENCRYPTION + _der(0x03, b"\x00" + key))


class Libcrypto:
    """The backend: modulus -> public-key operation."""

    def __init__(self) -> None:
        """Look up OpenSSL's functions.

        Raises:
            LibcryptoError: The library or one of the functions is missing.
        """
        function = partial(_function, _load_library())
        text = POINTER(c_char_p)
        self.read_key = function("d2i_PUBKEY", c_void_p, c_void_p, text, c_long)
        self.new = function("EVP_PKEY_CTX_new", c_void_p, c_void_p, c_void_p)
        self.start = function("EVP_PKEY_encrypt_init", c_int, c_void_p)
        self.pad = function("EVP_PKEY_CTX_set_rsa_padding", c_int, c_void_p, c_int)
        self.encrypt = function(
            "EVP_PKEY_encrypt", c_int, c_void_p, c_void_p, POINTER(c_size_t), c_char_p, c_size_t
        )
        self.free = function("EVP_PKEY_CTX_free", None, c_void_p)
        self.free_key = function("EVP_PKEY_free", None, c_void_p)

    def __call__(self, modulus: int) -> PublicKeyOperation:
        """Return the public key operation for a modulus.

        Raises:
            LibcryptoError: OpenSSL rejects the key.
        """
        return _KeyContext(self, modulus)


class _KeyContext:
    """An EVP_PKEY_CTX for one key, freed with this object."""

    __slots__ = ("_buffer", "_context", "_encrypt", "_free", "_length", "_size")

    def __init__(self, library: Libcrypto, modulus: int) -> None:
        self._context = None
        self._free = library.free
        self._encrypt = library.encrypt
        self._size = (modulus.bit_length() + 7) // 8
        self._buffer = c_char * self._size
        # In: the buffer's length; out: the result's length, which is the same without padding.
        self._length = byref(c_size_t(self._size))
        info = _public_key_info(modulus)
        key = library.read_key(None, byref(c_char_p(info)), len(info))
        if not key:
            raise LibcryptoError
        self._context = library.new(key, None)  # increments the key's reference count
        library.free_key(key)
        if (
            not self._context
            or library.start(self._context) != 1
            or library.pad(self._context, _RSA_NO_PADDING) != 1
        ):
            raise LibcryptoError

    def __call__(self, signature: bytes) -> bytes:
        result = self._buffer()
        if self._encrypt(self._context, result, self._length, signature, self._size) != 1:
            raise LibcryptoError
        return result.raw

    def __del__(self) -> None:
        if self._context:
            self._free(self._context)
