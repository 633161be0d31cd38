"""SHA-256 and constant-time comparison without the import time of hashlib and hmac.

`_hashlib` is the extension module that both load. An interpreter without it falls back to them.
"""

try:
    from _hashlib import compare_digest
    from _hashlib import openssl_sha256 as sha256
except ImportError:  # an interpreter that was built without OpenSSL
    from hashlib import sha256
    from hmac import compare_digest

__all__ = ["compare_digest", "sha256"]
