"""An authenticator with one key: the answers of a browser's WebAuthn API (WebAuthn, section 7)."""

import hashlib
import json
import secrets
from base64 import urlsafe_b64encode
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

ORIGIN = "http://localhost:8080"
#: Flags of the authenticator data: user present, user verified, attested credential data.
PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


def _encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def _text(value: str) -> bytes:
    """Return a text of less than 24 bytes in CBOR (RFC 8949, section 3)."""
    return bytes([0x60 + len(value)]) + value.encode()


def _bytes(value: bytes) -> bytes:
    """Return bytes in CBOR, with a length of one byte or two."""
    size = len(value)
    return (bytes([0x58, size]) if size < 256 else b"\x59" + size.to_bytes(2)) + value


class SoftwareAuthenticator:
    """Makes a passkey for the relying party "localhost", and signs with it."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._id = secrets.token_bytes(16)

    def create(self, options: dict[str, Any], origin: str = ORIGIN) -> dict[str, Any]:
        """Return the RegistrationResponseJSON for creation options."""
        attested = bytes(16) + len(self._id).to_bytes(2) + self._id + self._cose_key()
        data = self._data(PRESENT | VERIFIED | ATTESTED, attested)
        attestation = (
            b"\xa3" + _text("fmt") + _text("none") + _text("attStmt") + b"\xa0"
            + _text("authData") + _bytes(data)
        )  # fmt: skip
        response = {
            "clientDataJSON": self._client_data("webauthn.create", options, origin),
            "attestationObject": _encoded(attestation),
            "transports": ["internal"],
        }
        return self._credential(response)

    def get(
        self, options: dict[str, Any], origin: str = ORIGIN, *, verified: bool = True
    ) -> dict[str, Any]:
        """Return the AuthenticationResponseJSON for request options."""
        data = self._data(PRESENT | (VERIFIED if verified else 0), b"")
        client_data = self._client_data_json("webauthn.get", options, origin)
        signed = data + hashlib.sha256(client_data).digest()
        response = {
            "clientDataJSON": _encoded(client_data),
            "authenticatorData": _encoded(data),
            "signature": _encoded(self._key.sign(signed, ec.ECDSA(hashes.SHA256()))),
        }
        return self._credential(response)

    def _credential(self, response: dict[str, Any]) -> dict[str, Any]:
        name = _encoded(self._id)
        return {
            "id": name,
            "rawId": name,
            "type": "public-key",
            "response": response,
            "clientExtensionResults": {},
        }

    def _cose_key(self) -> bytes:
        """Return the public key for ES256 (RFC 9053, section 7.1.1)."""
        numbers = self._key.public_key().public_numbers()
        return (
            b"\xa5\x01\x02\x03\x26\x20\x01\x21" + _bytes(numbers.x.to_bytes(32))
            + b"\x22" + _bytes(numbers.y.to_bytes(32))
        )  # fmt: skip

    @staticmethod
    def _data(flags: int, attested: bytes) -> bytes:
        return hashlib.sha256(b"localhost").digest() + bytes([flags]) + bytes(4) + attested

    def _client_data(self, kind: str, options: dict[str, Any], origin: str) -> str:
        return _encoded(self._client_data_json(kind, options, origin))

    @staticmethod
    def _client_data_json(kind: str, options: dict[str, Any], origin: str) -> bytes:
        data = {"type": kind, "challenge": options["challenge"], "origin": origin}
        return json.dumps(data | {"crossOrigin": False}).encode()
