"""The compact serialization of a JWS, taken apart without trusting it (RFC 7515, section 5.2)."""

from edge_auth.encoding import decode, json_object
from edge_auth.errors import TokenError

# Cognito's tokens have 1-2 KB; CloudFront takes 20 KB of headers (CloudFront, "Quotas").
MAXIMUM_TOKEN = 8_192
MAXIMUM_HEADER = 1_024
MAXIMUM_KID = 256


def split(token: bytes) -> tuple[bytes, bytes, bytes]:
    """The three segments, still encoded: header, payload, signature."""
    if len(token) > MAXIMUM_TOKEN:
        raise TokenError(code="token_too_long")
    segments = token.split(b".")
    if len(segments) != 3:
        raise TokenError
    return segments[0], segments[1], segments[2]


def key_id(header_segment: bytes) -> str:
    """The `kid` of an unverified header that asks for nothing but RS256.

    `jwk`, `jku`, `x5u` and `x5c` are ignored, as a receiver may (RFC 7515, section 4.1): a key is
    only ever looked up by its `kid`. `crit` names extensions that must be understood; this verifier
    has none, so it refuses (section 4.1.11). `b64` changes what is signed (RFC 7797, section 3).
    """
    if len(header_segment) > MAXIMUM_HEADER:
        raise TokenError(code="header_too_long")
    header = json_object(decode(header_segment))
    if header.get("alg") != "RS256":
        raise TokenError(code="algorithm_refused")
    if "crit" in header or "b64" in header:
        raise TokenError(code="extension_refused")
    kid = header.get("kid")
    if not isinstance(kid, str) or not 0 < len(kid) <= MAXIMUM_KID:
        raise TokenError(code="key_id_refused")
    return kid
