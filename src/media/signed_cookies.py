"""CloudFront's signed cookies with a custom policy. Pure: policy and signature in, cookies out.

Source: CloudFront developer guide, "Set signed cookies using a custom policy".
"""

import base64
import json
from typing import Final

#: "Replace characters that are invalid in a URL query string with characters that are valid".
_URL_SAFE: Final = str.maketrans("+=/", "-_~")


def policy(path: str, expires_at: int) -> bytes:
    """Return the policy that opens all files below a path until a time in epoch seconds.

    Any host of the distribution: the API doesn't know under which name a viewer reaches it, and
    only this distribution trusts the key.
    """
    condition = {"DateLessThan": {"AWS:EpochTime": expires_at}}
    statement = {"Resource": f"https://*{path}*", "Condition": condition}
    return json.dumps({"Statement": [statement]}, separators=(",", ":")).encode()


def cookies(
    policy_: bytes, signature: bytes, key_pair_id: str, path: str, max_age_s: int
) -> list[str]:
    """Return the Set-Cookie values.

    A browser sends the cookies with requests for the path only, and deletes them when the policy
    ends. Without Domain, only this host gets them.
    """
    values = {
        "Policy": _encode(policy_),
        "Signature": _encode(signature),
        "Key-Pair-Id": key_pair_id,
        # Without it, CloudFront expects SHA-1, which AWS KMS doesn't sign with.
        "Hash-Algorithm": "SHA256",
    }
    attributes = f"Path={path}; Max-Age={max_age_s}; Secure; HttpOnly; SameSite=Lax"
    return [f"CloudFront-{name}={value}; {attributes}" for name, value in values.items()]


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode().translate(_URL_SAFE)
