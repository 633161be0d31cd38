"""Signed snapshots: small documents that a regional function publishes and edge functions read.

An edge function has no database near every visitor. A snapshot is one object in Amazon S3 that
CloudFront serves to anyone, so it contains fingerprints instead of names, and a signature that only
a key in AWS KMS can make.
"""

from typing import Final

from edge_auth.digest import sha256
from edge_auth.encoding import base64url_encode

_BYTES: Final = 16


def fingerprint(kind: str, identifier: str) -> str:
    """Return 22 characters that identify a random identifier without revealing it.

    Identifiers that can be guessed, such as email addresses, need a keyed hash instead.
    """
    return base64url_encode(sha256(f"{kind}:{identifier}".encode()).digest()[:_BYTES])
