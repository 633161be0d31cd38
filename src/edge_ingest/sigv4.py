"""AWS Signature Version 4 for one kind of request: a JSON POST to the root of Kinesis.

IAM User Guide, "Create a signed AWS API request". A property test compares it with botocore.
"""

import os
import time
from functools import lru_cache
from typing import Final

import msgspec

from clickstream.digest import hmac_digest, hmac_sha256, sha256

SERVICE: Final = "kinesis"
CONTENT_TYPE: Final = "application/x-amz-json-1.1"


class Credentials(msgspec.Struct, frozen=True):
    """Credentials of the function's execution role."""

    access_key: str
    secret_key: str
    token: str | None


class CredentialsError(Exception):
    """The environment variables contain no credentials."""


def credentials() -> Credentials:
    """Return the current credentials from the environment, which the Lambda runtime can renew.

    Raises:
        CredentialsError: A variable is missing.
    """
    env = os.environ
    try:
        return Credentials(
            env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], env.get("AWS_SESSION_TOKEN")
        )
    except KeyError as error:
        raise CredentialsError(f"the environment variable {error} is missing") from error


def signed_headers(
    credentials: Credentials, *, region: str, host: str, target: str, body: bytes, now: float
) -> list[tuple[str, str]]:
    """Return all headers of the request, signed. `now` is in seconds since the epoch."""
    amz_date = _date(int(now))
    # The canonical request needs lower-case names in sorted order.
    pairs = [
        ("content-type", CONTENT_TYPE),
        ("host", host),
        ("x-amz-date", amz_date),
        *([("x-amz-security-token", credentials.token)] if credentials.token else []),
        ("x-amz-target", target),
    ]
    names = ";".join(name for name, _ in pairs)
    canonical = "\n".join(
        ["POST", "/", "", *(f"{name}:{value}" for name, value in pairs), "", names, _sha256(body)]
    )
    scope = f"{amz_date[:8]}/{region}/{SERVICE}/aws4_request"
    to_sign = f"AWS4-HMAC-SHA256\n{amz_date}\n{scope}\n{_sha256(canonical.encode())}"
    key = _signing_key(credentials.secret_key, amz_date[:8], region)
    signature = hmac_sha256(key, to_sign.encode()).hexdigest()
    authorization = (
        f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, "
        f"SignedHeaders={names}, Signature={signature}"
    )
    return [*pairs, ("authorization", authorization)]


@lru_cache(maxsize=4)
def _date(seconds: int) -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(seconds))


@lru_cache(maxsize=16)
def _signing_key(secret_key: str, date: str, region: str) -> bytes:
    key = f"AWS4{secret_key}".encode()
    for part in (date, region, SERVICE, "aws4_request"):
        key = hmac_digest(key, part.encode(), "sha256")
    return key


def _sha256(data: bytes) -> str:
    return sha256(data).hexdigest()
