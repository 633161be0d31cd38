"""Parse the compact serialization of an unverified JWS (RFC 7515, section 5.2)."""

from typing import Final

from edge_auth.encoding import base64url_decode, parse_json_object
from edge_auth.errors import TokenError

# Cognito's tokens have 1-2 KB; CloudFront allows 20 KB of headers (CloudFront, "Quotas").
MAX_TOKEN_BYTES: Final = 8_192
MAX_HEADER_BYTES: Final = 1_024
MAX_KID_CHARS: Final = 256


def split_signing_input(signing_input: bytes, signature: bytes) -> tuple[bytes, bytes]:
    """Return the encoded header and payload of a JWS signing input ("header.payload").

    `signature` is the encoded signature segment, which counts towards the size limit. An additional
    dot stays in the payload, and decoding rejects it.

    Raises:
        TokenError: The token is too long or has no dot.
    """
    if len(signing_input) + 1 + len(signature) > MAX_TOKEN_BYTES:
        raise TokenError(code="token_too_long")
    header, dot, payload = signing_input.partition(b".")
    if not dot:
        raise TokenError
    return header, payload


def parse_key_id(header_segment: bytes) -> str:
    """Return the `kid` of an unverified RS256 header.

    `jwk`, `jku`, `x5u` and `x5c` are ignored, as RFC 7515, section 4.1, allows: a key is only
    looked up by its `kid`. `crit` lists extensions that a verifier must support; this verifier
    supports none and rejects it (section 4.1.11). `b64` changes the signing input (RFC 7797,
    section 3).

    Raises:
        TokenError: The header is too long or malformed, or requires something other than RS256.
    """
    if len(header_segment) > MAX_HEADER_BYTES:
        raise TokenError(code="header_too_long")
    header = parse_json_object(base64url_decode(header_segment))
    if header.get("alg") != "RS256":
        raise TokenError(code="algorithm_refused")
    if "crit" in header or "b64" in header:
        raise TokenError(code="extension_refused")
    kid = header.get("kid")
    if not isinstance(kid, str) or not 0 < len(kid) <= MAX_KID_CHARS:
        raise TokenError(code="key_id_refused")
    return kid
