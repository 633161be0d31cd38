"""Handle the custom resource that returns the public key of a KMS key, for CloudFront."""

import base64
import textwrap
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from custom_resource.response import CustomResourceError, respond, send_response
from media import aws_clients


class PublicKeyError(CustomResourceError):
    """Raised when KMS doesn't return the public key."""

    code = "public_key"


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, object]:
    """Return the key in PEM format as the attribute EncodedKey.

    Raises:
        OSError: CloudFormation's URL doesn't accept the response. Lambda then retries the event.
    """
    return respond(event, _read, send_response, context)


def _read(event: Mapping[str, Any]) -> dict[str, object]:
    """Return the response's PhysicalResourceId and Data.

    Raises:
        PublicKeyError: KMS refused the call.
    """
    if event["RequestType"] == "Delete":
        return {}
    key_id = event["ResourceProperties"]["KeyId"]
    try:
        der = aws_clients.kms().get_public_key(KeyId=key_id)["PublicKey"]
    except (ClientError, BotoCoreError) as error:
        raise PublicKeyError(f"Can't read the public key of {key_id}: {error}.") from error
    return {"PhysicalResourceId": key_id, "Data": {"EncodedKey": to_pem(der)}}


def to_pem(der: bytes) -> str:
    """Return a SubjectPublicKeyInfo as text (RFC 7468, section 13), with a line end after it."""
    lines = textwrap.wrap(base64.b64encode(der).decode(), 64)
    return "\n".join(["-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""])
