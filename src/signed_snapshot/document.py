"""The document of a snapshot whose origin is known, so that no signature is checked."""

from typing import Any

from edge_auth.encoding import base64url_decode, parse_json_object
from edge_auth.errors import TokenError


def read_document(data: bytes) -> dict[str, Any]:
    """Return the payload of a snapshot, a JWS in compact serialization (RFC 7515, section 3.1).

    Raises:
        ValueError: The data isn't a snapshot.
    """
    try:
        return parse_json_object(base64url_decode(data.split(b".")[1]))
    except (IndexError, TokenError) as error:
        raise ValueError("not a JWS with a JSON object") from error
