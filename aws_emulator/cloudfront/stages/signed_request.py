"""Verify signed URLs and signed cookies of cache behaviors that restrict viewer access.

Sources: CloudFront developer guide, "Use signed URLs", "Set signed cookies using a custom policy",
"Set signed cookies using a canned policy" and "Create a signature for a signed URL".
"""

import base64
import binascii
import ipaddress
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from aws_emulator.cloudfront import headers as h
from aws_emulator.cloudfront.errors import SignedRequestError
from aws_emulator.cloudfront.model import Request, TrustedKeys, Viewer
from aws_emulator.cloudfront.stages.origin_request import cookie_pairs, query_pairs
from aws_emulator.cloudfront.wildcards import matches_wildcards

_PARAMETERS: Final = ("Expires", "Policy", "Signature", "Key-Pair-Id", "Hash-Algorithm")
MALFORMED_POLICY: Final = "Malformed Policy"
_COOKIE_PREFIX: Final = "CloudFront-"
#: "Hash-Algorithm": SHA-1 if the request names none.
_HASHES: Final[Mapping[str, type[hashes.SHA1 | hashes.SHA256]]] = {
    "SHA1": hashes.SHA1,  # noqa: S303 - CloudFront's default
    "SHA256": hashes.SHA256,
}
#: "Replace characters that are invalid in a URL query string with characters that are valid".
_URL_SAFE: Final = str.maketrans("-_~", "+=/")


@dataclass(frozen=True, slots=True)
class _Policy:
    """The conditions of a policy. Times are in seconds since the epoch; `network` is a CIDR."""

    resource: str | None
    not_after: int
    not_before: int
    network: str | None


def check_signature(keys: TrustedKeys, request: Request, viewer: Viewer, now: float) -> None:
    """Check that a signed URL or signed cookies open the request. `now` is in epoch seconds.

    Raises:
        SignedRequestError: They are missing, malformed or expired, or don't match the request.
    """
    fields = _signed_fields(request)
    key_id = fields.get("Key-Pair-Id")
    if not key_id:
        raise SignedRequestError(
            "Missing Key-Pair-Id query parameter or cookie value", code="MissingKey"
        )
    if key_id not in keys:
        raise SignedRequestError("Unknown Key", code="InvalidKey")
    url = _base_url(request)
    statement = _statement(fields, url)
    policy = _parse(statement)
    signature = _decode(fields.get("Signature", ""))
    if not signature:
        raise SignedRequestError("Could not unencode Signature", code="MalformedSignature")
    algorithm = _HASHES.get(fields.get("Hash-Algorithm", "SHA1").upper())
    if (
        algorithm is None
        or not _verifies(keys[key_id], algorithm(), signature, statement)
        or not _opens(policy, url, viewer, now)
    ):
        raise SignedRequestError("Access denied", code="AccessDenied")


def without_signature(query: str) -> str:
    """Return a raw query string without the parameters of a signed URL.

    "CloudFront removes these parameters before it forwards the request to the origin."
    """
    return "&".join(pair for name, pair in query_pairs(query) if name not in _PARAMETERS)


def _signed_fields(request: Request) -> dict[str, str]:
    """Return the parameters of the signed URL, or without one the values of the cookies.

    "If you use both signed URLs and signed cookies ..., CloudFront determines whether to return the
    file to the viewer based only on the signed URL."
    """
    in_query = {
        name: pair.partition("=")[2]
        for name, pair in query_pairs(request.query)
        if name in _PARAMETERS
    }
    if in_query.keys() & {"Policy", "Signature", "Key-Pair-Id"}:
        return in_query
    return {
        name.removeprefix(_COOKIE_PREFIX): pair.partition("=")[2]
        for name, pair in reversed(cookie_pairs(request.headers))
        if name.removeprefix(_COOKIE_PREFIX) in _PARAMETERS and name.startswith(_COOKIE_PREFIX)
    }


def _base_url(request: Request) -> str:
    """Return the URL that a policy's resource must match.

    HTTP on the loopback represents HTTPS.
    """
    query = without_signature(request.query)
    url = f"https://{h.first(request.headers, 'host')}{request.uri}"
    return f"{url}?{query}" if query else url


def _statement(fields: Mapping[str, str], url: str) -> bytes:
    """Return the signed text: a custom policy, or the canned policy for this URL.

    Raises:
        SignedRequestError: The request has neither a policy nor an expiry time.
    """
    if "Policy" in fields:
        return _decode(fields["Policy"])
    expires = fields.get("Expires", "")
    if not (expires.isascii() and expires.isdigit()):
        raise SignedRequestError(MALFORMED_POLICY, code="MalformedPolicy")
    # "Create a policy statement for a signed URL that uses a canned policy": without white space.
    return (
        f'{{"Statement":[{{"Resource":"{url}",'
        f'"Condition":{{"DateLessThan":{{"AWS:EpochTime":{expires}}}}}}}]}}'
    ).encode()


def _parse(statement: bytes) -> _Policy:
    try:
        document = json.loads(statement)
        # "You can include only one statement."
        (only,) = document["Statement"]
        condition = only["Condition"]
        # The page about custom policies requires DateLessThan.
        policy = _Policy(
            resource=only.get("Resource"),
            not_after=_time(condition["DateLessThan"]),
            not_before=_time(condition.get("DateGreaterThan", {"AWS:EpochTime": 0})),
            network=condition["IpAddress"]["AWS:SourceIp"] if "IpAddress" in condition else None,
        )
        if policy.network is not None:
            # "CloudFront doesn't support IPv6 addresses in policies": an error is raised below.
            ipaddress.IPv4Network(policy.network, strict=False)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SignedRequestError(MALFORMED_POLICY, code="MalformedPolicy") from error
    return policy


def _time(condition: Mapping[str, Any]) -> int:
    value = condition["AWS:EpochTime"]
    if not isinstance(value, int) or isinstance(value, bool):
        # "Do not enclose the value in quotation marks."
        raise TypeError
    return value


def _opens(policy: _Policy, url: str, viewer: Viewer, now: float) -> bool:
    if not policy.not_before <= now < policy.not_after:
        return False
    if policy.network is not None:
        address = ipaddress.ip_address(viewer.address)
        if address not in ipaddress.IPv4Network(policy.network, strict=False):
            return False
    # Without a resource, the policy is valid for all files.
    return policy.resource is None or matches_wildcards(policy.resource, url)


def _decode(text: str) -> bytes:
    """Return the bytes of CloudFront's variant of base64, empty for malformed text."""
    try:
        return base64.b64decode(text.translate(_URL_SAFE), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _verifies(
    pem: str, algorithm: hashes.SHA1 | hashes.SHA256, signature: bytes, statement: bytes
) -> bool:
    key = serialization.load_pem_public_key(pem.encode())
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, statement, padding.PKCS1v15(), algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, statement, ec.ECDSA(algorithm))
        else:
            return False
    except InvalidSignature:
        return False
    return True
