"""AWS Signature Version 4 for one kind of request: a JSON POST to the root of a service.

IAM User Guide, "Create a signed AWS API request"; checked against botocore by a property test.
"""

import hashlib
import hmac
import os
import time
from functools import lru_cache
from typing import Final, NamedTuple

SERVICE: Final = "kinesis"
CONTENT_TYPE: Final = "application/x-amz-json-1.1"


class Credentials(NamedTuple):
    """What the function's role is known by."""

    access_key: str
    secret_key: str
    token: str | None


class CredentialsError(Exception):
    """The environment holds no credentials."""


def credentials() -> Credentials:
    """Read the credentials that are in the environment now: the runtime may have renewed them.

    Raises:
        CredentialsError: there are none.
    """
    env = os.environ
    try:
        return Credentials(
            env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], env.get("AWS_SESSION_TOKEN")
        )
    except KeyError as error:
        raise CredentialsError("the environment holds no credentials") from error


def headers(
    keys: Credentials, *, region: str, host: str, target: str, body: bytes, now: float
) -> list[tuple[str, str]]:
    """Return the signed headers of the request, `host` among them; `now` is seconds since 1970."""
    amz_date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    # Lower case and sorted, as the canonical form wants them.
    signed = [
        ("content-type", CONTENT_TYPE),
        ("host", host),
        ("x-amz-date", amz_date),
        *([("x-amz-security-token", keys.token)] if keys.token else []),
        ("x-amz-target", target),
    ]
    names = ";".join(name for name, _ in signed)
    canonical = "\n".join(
        ["POST", "/", "", *(f"{name}:{value}" for name, value in signed), "", names, _hex(body)]
    )
    scope = f"{amz_date[:8]}/{region}/{SERVICE}/aws4_request"
    to_sign = f"AWS4-HMAC-SHA256\n{amz_date}\n{scope}\n{_hex(canonical.encode())}"
    key = _signing_key(keys.secret_key, amz_date[:8], region)
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    authorization = (
        f"AWS4-HMAC-SHA256 Credential={keys.access_key}/{scope}, "
        f"SignedHeaders={names}, Signature={signature}"
    )
    return [*signed, ("authorization", authorization)]


@lru_cache(maxsize=16)
def _signing_key(secret_key: str, date: str, region: str) -> bytes:
    key = f"AWS4{secret_key}".encode()
    for part in (date, region, SERVICE, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _hex(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
