"""Calls to Amazon S3 and AWS KMS."""

import functools
import hashlib
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from media.errors import UnavailableError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

#: API Gateway waits for 29 seconds.
CONFIG: Final = Config(connect_timeout=2, read_timeout=5, retries={"max_attempts": 2})
_SNAPSHOT_KEY: Final = "public/snapshots/revocations"


@functools.cache
def _s3() -> "S3Client":
    return boto3.client("s3", config=CONFIG)


@functools.cache
def kms() -> Any:
    """Return the client of AWS KMS."""
    return boto3.client("kms", config=CONFIG)


def read_snapshot(bucket: str) -> bytes:
    """Return the present deny-list. S3 is strongly consistent.

    Raises:
        UnavailableError: S3 refused the call or didn't answer.
    """
    try:
        return _s3().get_object(Bucket=bucket, Key=_SNAPSHOT_KEY)["Body"].read()
    except (ClientError, BotoCoreError) as error:
        raise UnavailableError(f"Can't read the deny-list: {error}.") from error


def sign(key_id: str, message: bytes) -> bytes:
    """Return the signature with a key of AWS KMS: RSA, PKCS #1 v1.5 and SHA-256.

    Raises:
        UnavailableError: KMS refused the call or didn't answer.
    """
    try:
        response = kms().sign(
            KeyId=key_id,
            Message=hashlib.sha256(message).digest(),
            MessageType="DIGEST",
            SigningAlgorithm="RSASSA_PKCS1_V1_5_SHA_256",
        )
    except (ClientError, BotoCoreError) as error:
        raise UnavailableError(f"Can't sign: {error}.") from error
    signature: bytes = response["Signature"]
    return signature
