"""The compact serialization of a JWS, taken apart without trusting it (RFC 7515, section 5.2)."""

from edge_auth.encoding import decode, json_object
from edge_auth.errors import TokenError

# Cognito's tokens have 1-2 KB; CloudFront takes 20 KB of headers (CloudFront, "Quotas").
MAXIMUM_TOKEN = 8_192
MAXIMUM_HEADER = 1_024
MAXIMUM_KID = 256


def split(message: bytes, signature: bytes) -> tuple[bytes, bytes]:
    """The encoded header and payload of a token, given as what is signed and the signature segment.

    A further dot stays in the payload, where decoding refuses it.
    """
    if len(message) + 1 + len(signature) > MAXIMUM_TOKEN:
        raise TokenError(code="token_too_long")
    header, dot, payload = message.partition(b".")
    if not dot:
        raise TokenError
    return header, payload


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
