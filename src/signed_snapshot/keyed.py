"""Keyed fingerprints, for identifiers that can be guessed, such as email addresses."""

import hmac
from typing import Final

from edge_auth.encoding import base64url_encode

#: Ten thousand entries and a million visitors: a chance of 1e-19 that one visitor is mistaken.
_BYTES: Final = 12


def keyed_fingerprint(key: str, identifier: str) -> str:
    """Return 16 characters that identify an identifier only with the secret `key`."""
    digest = hmac.digest(key.encode(), identifier.encode("utf-8", "replace"), "sha256")
    return base64url_encode(digest[:_BYTES])
