"""What this room asks of others: Lambda, Cognito, the pool's key set, CloudFormation."""

import functools
import json
import urllib.request
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from edge_settings.errors import EdgeSettingsError, PackageError, SigningKeysError
from edge_settings.requests import ClientUrlsRequest

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient
    from mypy_boto3_lambda import LambdaClient

#: Bytes. Cognito's key set has two keys, under 1 KB.
MAX_KEY_SET = 64 * 1024
TIMEOUT_S = 10
#: Keys that came over a line that anyone could write on would open every door.
_TRUSTED = ("https://", "http://127.0.0.1:", "http://localhost:")

#: What DescribeUserPoolClient returns and UpdateUserPoolClient does not take.
_READ_ONLY = {"ClientSecret", "LastModifiedDate", "CreationDate"}


@functools.cache
def _lambda() -> "LambdaClient":
    return boto3.client("lambda")


@functools.cache
def _cognito() -> "CognitoIdentityProviderClient":
    return boto3.client("cognito-idp")


def built_package(version_arn: str) -> bytes:
    """Download the zip of a numbered version. Raises PackageError."""
    function, _, version = version_arn.rpartition(":")
    try:
        answer = _lambda().get_function(FunctionName=function, Qualifier=version)
        with urllib.request.urlopen(answer["Code"]["Location"], timeout=TIMEOUT_S) as response:  # noqa: S310 - an address that Lambda signed
            package: bytes = response.read()
    except (ClientError, BotoCoreError, OSError) as error:
        raise PackageError(f"The package of {version_arn} cannot be fetched: {error}.") from error
    return package


def publish(version_arn: str, package: bytes) -> str:
    """Put `package` on the function of `version_arn`, publish it; return the new version's ARN.

    Equal bytes publish nothing new: Lambda "doesn't publish a version if the function's
    configuration and code haven't changed since the last version" (API reference, PublishVersion).
    """
    function = version_arn.rpartition(":")[0]
    client = _lambda()
    try:
        updated = client.update_function_code(FunctionName=function, ZipFile=package)
        client.get_waiter("function_updated_v2").wait(FunctionName=function)
        published = client.publish_version(
            FunctionName=function, CodeSha256=updated["CodeSha256"], Description="with settings"
        )
        client.get_waiter("published_version_active").wait(
            FunctionName=function, Qualifier=published["Version"]
        )
    except (ClientError, BotoCoreError) as error:
        raise PackageError(f"{function} cannot be published: {error}.") from error
    return f"{function}:{published['Version']}"


def signing_keys(uri: str) -> dict[str, object]:
    """Fetch the user pool's JSON Web Key Set (RFC 7517 section 5). Raises SigningKeysError."""
    if not uri.startswith(_TRUSTED):
        raise SigningKeysError(f"jwks_uri must be https (or of this machine), not {uri}.")
    try:
        with urllib.request.urlopen(uri, timeout=TIMEOUT_S) as response:  # noqa: S310 - checked above
            body: bytes = response.read(MAX_KEY_SET + 1)
        document = json.loads(body) if len(body) <= MAX_KEY_SET else None
    except (OSError, ValueError) as error:
        raise SigningKeysError(f"The signing keys at {uri} cannot be fetched: {error}.") from error
    if not isinstance(document, dict) or not document.get("keys"):
        raise SigningKeysError(f"{uri} answered with no key set.")
    return document


def set_client_urls(request: ClientUrlsRequest) -> None:
    """Set the callback and sign-out URLs of an app client, and nothing else of it.

    "If you don't provide a value for an attribute, Amazon Cognito sets it to its default value"
    (API reference, UpdateUserPoolClient): so all that is there is sent again.
    """
    client = _cognito()
    try:
        present: dict[str, Any] = dict(
            client.describe_user_pool_client(
                UserPoolId=request.user_pool_id, ClientId=request.client_id
            )["UserPoolClient"]
        )
        # An attribute that was never set may come back as an empty text, which is no legal value.
        kept = {name: it for name, it in present.items() if name not in _READ_ONLY and it != ""}
        kept["CallbackURLs"] = list(request.callback_urls)
        kept["LogoutURLs"] = list(request.logout_urls)
        client.update_user_pool_client(**kept)
    except (ClientError, BotoCoreError) as error:
        raise EdgeSettingsError(f"The app client cannot be updated: {error}.") from error


def answer_cloudformation(url: str, document: dict[str, object]) -> None:
    """PUT a custom resource's answer to its presigned URL (CloudFormation, "Custom resources").

    The content type is empty on purpose: the URL was signed without one.
    """
    request = urllib.request.Request(  # noqa: S310 - an address that CloudFormation signed
        url, data=json.dumps(document).encode(), method="PUT", headers={"Content-Type": ""}
    )
    with urllib.request.urlopen(request, timeout=TIMEOUT_S):  # noqa: S310 - as above
        pass
