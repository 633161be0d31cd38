"""Calls to Lambda, Cognito, Systems Manager and the user pool's JWKS endpoint."""

import functools
import json
import secrets
import time
import urllib.request
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from edge_settings.consumers import region_of
from edge_settings.errors import (
    AppClientError,
    ConsumerReadError,
    PackageError,
    SecretError,
    SigningKeysError,
)
from edge_settings.resource_properties import AppClientProperties

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient
    from mypy_boto3_lambda import LambdaClient

#: Cognito's key set has two keys, less than 1 KB.
MAX_JWKS_BYTES: Final = 64 * 1024
TIMEOUT_S: Final = 10
#: An attacker who could replace signing keys in transit could sign any token.
_SECURE_PREFIXES: Final = ("https://", "http://127.0.0.1:", "http://localhost:")
#: A Region that hangs costs half a minute of the function's timeout.
_OTHER_REGION: Final = Config(
    connect_timeout=3, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 2}
)
#: States of an event source mapping that reads its stream, or will soon (Lambda API reference,
#: EventSourceMappingConfiguration). The others are Disabling, Disabled and Deleting.
READING_STATES: Final = frozenset({"Creating", "Enabling", "Enabled", "Updating"})


@functools.cache
def _lambda() -> "LambdaClient":
    return boto3.client("lambda")


@functools.cache
def _ssm() -> Any:
    return boto3.client("ssm")


@functools.cache
def _cognito(region: str) -> "CognitoIdentityProviderClient":
    return boto3.client("cognito-idp", region_name=region)


def download_package(version_arn: str) -> bytes:
    """Download the zip archive of a numbered version.

    Raises:
        PackageError: Lambda doesn't have the version, or the download failed.
    """
    function, _, version = version_arn.rpartition(":")
    try:
        version_details = _lambda().get_function(FunctionName=function, Qualifier=version)
        location = version_details["Code"]["Location"]
        with urllib.request.urlopen(location, timeout=TIMEOUT_S) as response:  # noqa: S310 - a presigned URL from Lambda
            package: bytes = response.read()
    except (ClientError, BotoCoreError, OSError) as error:
        raise PackageError(f"Can't download the package of {version_arn}: {error}.") from error
    return package


def publish(version_arn: str, package: bytes) -> str:
    """Update the function's code to `package`, publish a version and return its ARN.

    Unchanged code returns the existing version: Lambda "doesn't publish a version if the function's
    configuration and code haven't changed since the last version" (API reference, PublishVersion).

    Raises:
        PackageError: Lambda rejects the code, or the version doesn't become active.
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
        raise PackageError(f"Can't publish a version of {function}: {error}.") from error
    return f"{function}:{published['Version']}"


def has_consumer(stream_arn: str) -> bool:
    """Return whether an event source mapping in the stream's Region reads the stream.

    Raises:
        ConsumerReadError: Lambda refused the call, or the Region doesn't answer.
    """
    region = region_of(stream_arn)
    try:
        pages = (
            boto3.client("lambda", region_name=region, config=_OTHER_REGION)
            .get_paginator("list_event_source_mappings")
            .paginate(EventSourceArn=stream_arn)
        )
        states = [it["State"] for page in pages for it in page["EventSourceMappings"]]
    except (ClientError, BotoCoreError) as error:
        raise ConsumerReadError(f"Can't read the mappings of {stream_arn}: {error}.") from error
    return any(state in READING_STATES for state in states)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect becomes an HTTPError: only the address that was checked may answer."""

    def redirect_request(self, *_: object) -> None:
        """Return no request for the redirect's target."""


def download_jwks(uri: str) -> tuple[dict[str, object], int]:
    """Download the user pool's JWK set (RFC 7517, section 5).

    Return it with the time of the download, in seconds since the epoch.

    Raises:
        SigningKeysError: The URL isn't secure, the download failed, or the body isn't a key set.
    """
    if not uri.startswith(_SECURE_PREFIXES):
        raise SigningKeysError(f"jwks_uri must use https or a loopback host, not {uri}.")
    started = int(time.time())
    try:
        opener = urllib.request.build_opener(_NoRedirects)
        with opener.open(uri, timeout=TIMEOUT_S) as response:
            body: bytes = response.read(MAX_JWKS_BYTES + 1)
        document = json.loads(body) if len(body) <= MAX_JWKS_BYTES else None
    except (OSError, ValueError) as error:
        raise SigningKeysError(f"Can't download the signing keys from {uri}: {error}.") from error
    if not isinstance(document, dict) or not document.get("keys"):
        raise SigningKeysError(f"{uri} didn't return a key set.")
    return document, started


def secret(name: str, generation: str) -> str:
    """Return the secret in the parameter `name`; create it if it has another generation.

    A replaced secret is deleted first, because Parameter Store keeps earlier values of a parameter
    that is overwritten (Systems Manager, "Working with parameter versions").

    Raises:
        SecretError: The parameter can't be read or replaced.
    """
    try:
        try:
            parameter = _ssm().get_parameter(Name=name, WithDecryption=True)["Parameter"]
        except _ssm().exceptions.ParameterNotFound:
            pass
        else:
            stored_generation, _, value = str(parameter["Value"]).partition(":")
            if stored_generation == generation:
                return value
            _ssm().delete_parameter(Name=name)
        value = secrets.token_hex(32)
        _ssm().put_parameter(Name=name, Value=f"{generation}:{value}", Type="SecureString")
    except (ClientError, BotoCoreError) as error:
        raise SecretError(f"Can't read or replace the parameter {name}: {error}.") from error
    return value


def delete_secret(name: str) -> None:
    """Delete the parameter of a secret, if it exists.

    Raises:
        SecretError: The parameter can't be deleted.
    """
    try:
        _ssm().delete_parameter(Name=name)
    except _ssm().exceptions.ParameterNotFound:
        return
    except (ClientError, BotoCoreError) as error:
        raise SecretError(f"Can't delete the parameter {name}: {error}.") from error


def update_app_client(client: AppClientProperties) -> None:
    """Replace all settings of an app client; its name stays.

    "If you don't provide a value for an attribute, Amazon Cognito sets it to its default value"
    (API reference, UpdateUserPoolClient), so no setting of an earlier update remains.

    Raises:
        AppClientError: The app client can't be read or updated.
    """
    # A pool's ID starts with its Region. The home may be another Region than this function's.
    cognito = _cognito(client.user_pool_id.partition("_")[0])
    try:
        present = cognito.describe_user_pool_client(
            UserPoolId=client.user_pool_id, ClientId=client.client_id
        )["UserPoolClient"]
        attributes: dict[str, Any] = {
            **client.settings,
            "UserPoolId": client.user_pool_id,
            "ClientId": client.client_id,
            "ClientName": present["ClientName"],
            "CallbackURLs": list(client.callback_urls),
            "LogoutURLs": list(client.logout_urls),
        }
        cognito.update_user_pool_client(**attributes)
    except (ClientError, BotoCoreError) as error:
        raise AppClientError(f"Can't update app client {client.client_id}: {error}.") from error
