"""SHA-256 and HMAC without the import time of hashlib and hmac, for short cold starts.

`_hashlib` is the extension module that both load. An interpreter without it falls back to them.
"""

try:
    from _hashlib import hmac_digest
    from _hashlib import openssl_sha256 as sha256
except ImportError:  # an interpreter that was built without OpenSSL
    from hashlib import sha256
    from hmac import digest as hmac_digest  # type: ignore[assignment]

__all__ = ["hmac_digest", "sha256"]
