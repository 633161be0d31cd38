"""Read the deployed distribution, and everything that it refers to, from the AWS APIs."""

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from aws_emulator.cloudfront.distribution import managed_policies
from aws_emulator.cloudfront.distribution.config import parse_distribution
from aws_emulator.cloudfront.distribution.function_association import check_association
from aws_emulator.cloudfront.distribution.policy_config import (
    parse_cache_policy,
    parse_origin_request_policy,
    parse_response_headers_policy,
)
from aws_emulator.cloudfront.model import Distribution, EventType, FunctionAssociation
from aws_emulator.cloudfront.origins.client import bucket_of
from aws_emulator.cloudfront.policies import CachePolicy, OriginRequestPolicy, ResponseHeadersPolicy
from aws_emulator.cloudfront.settings import Endpoint
from aws_emulator.cloudfront.web_acl.acl import WebAcl
from aws_emulator.cloudfront.web_acl.reader import read_document, read_web_acl
from aws_emulator.errors import CommandError, UnavailableError

if TYPE_CHECKING:
    from mypy_boto3_cloudfront import CloudFrontClient


_REPLICA_TIMEOUT_S: Final = 20.0


@lru_cache(maxsize=8)
def _client(endpoint: Endpoint, service: str, region: str) -> Any:
    session = boto3.session.Session(
        aws_access_key_id=endpoint.credentials.access_key,
        aws_secret_access_key=endpoint.credentials.secret_key,
        aws_session_token=endpoint.credentials.token,
        region_name=region,
    )
    config = Config(connect_timeout=3, read_timeout=20, retries={"max_attempts": 1})
    return session.client(service, endpoint_url=endpoint.url, config=config)  # type: ignore[call-overload]  # the service name is a variable


def _error_of(error: ClientError | BotoCoreError) -> type[CommandError]:
    if isinstance(error, ClientError):
        is_refusal = error.response["ResponseMetadata"]["HTTPStatusCode"] < 500
        return CommandError if is_refusal else UnavailableError
    return UnavailableError


class DistributionReader:
    """Read distributions from the CloudFront API. Its methods block: call them in a thread."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._cloudfront: CloudFrontClient = _client(endpoint, "cloudfront", "us-east-1")

    def find(self, distribution_id: str | None) -> str:
        """Return the ID of the distribution to serve: `distribution_id`, or the only one deployed.

        Raises:
            CommandError: The distribution doesn't exist, or several exist and the argument is None.
            UnavailableError: The control plane fails or isn't reachable.
        """
        try:
            summaries = [
                item
                for page in self._cloudfront.get_paginator("list_distributions").paginate()
                for item in page["DistributionList"].get("Items", [])
            ]
        except (ClientError, BotoCoreError) as error:
            raise _error_of(error)(
                f"Can't list distributions at {self._endpoint.url}: {error}. Check that the "
                "emulated AWS is running."
            ) from error
        ids = [item["Id"] for item in summaries]
        if distribution_id is not None:
            if distribution_id not in ids:
                raise CommandError(
                    f"The distribution {distribution_id} does not exist at {self._endpoint.url}."
                )
            return distribution_id
        if not ids:
            raise CommandError(
                f"{self._endpoint.url} has no CloudFront distribution. Deploy the template first."
            )
        if len(ids) > 1:
            raise CommandError(
                f"Several distributions are deployed ({', '.join(ids)}). Select one with "
                "--distribution."
            )
        return ids[0]

    def load(self, distribution_id: str) -> Distribution:
        """Read a distribution with its policies, access controls and functions.

        Raises:
            CommandError: An API call was refused, CloudFront would reject the configuration, or the
                emulator doesn't support it.
            UnavailableError: A control plane fails or isn't reachable.
        """
        try:
            response = self._cloudfront.get_distribution(Id=distribution_id)
            distribution = parse_distribution(
                cast("dict[str, Any]", response["Distribution"]), _ApiLookup(self._endpoint)
            )
            notes = (*distribution.notes, *self._access_notes(distribution))
        except (ClientError, BotoCoreError) as error:
            raise _error_of(error)(
                f"Can't read the distribution {distribution_id}: {error}"
            ) from error
        return replace(distribution, notes=notes)

    def web_acl_document(self, arn: str) -> str:
        """Return the document of a web ACL, which changes with each update.

        Raises:
            CommandError: AWS WAF refused the call.
            UnavailableError: The control plane fails or isn't reachable.
        """
        return read_document(self._endpoint, arn)

    def _access_notes(self, distribution: Distribution) -> Iterator[str]:
        for origin in distribution.origins.values():
            location = bucket_of(origin.domain)
            if origin.kind != "s3" or location is None:
                continue
            bucket, region = location
            client = _client(self._endpoint, "s3", region)
            try:
                client.get_bucket_policy(Bucket=bucket)
            except ClientError as error:
                if error.response["Error"]["Code"] != "NoSuchBucketPolicy":
                    continue
                signed = origin.signing_behavior in {"always", "no-override"}
                exception = (
                    ""
                    if signed or origin.access_identity
                    else (", except for objects with a public-read ACL")
                )
                yield (
                    f"The bucket {bucket} of the origin {origin.id} has no bucket policy: S3 "
                    f"returns 403 to every request of CloudFront{exception}. Use an origin access "
                    "control, and allow cloudfront.amazonaws.com s3:GetObject."
                )


class _ApiLookup:
    """Implement `config.ConfigLookup` with the CloudFront, Lambda and IAM APIs."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._cloudfront: CloudFrontClient = _client(endpoint, "cloudfront", "us-east-1")

    def cache_policy(self, policy_id: str) -> CachePolicy:
        if policy_id in managed_policies.CACHE_POLICIES:
            return managed_policies.CACHE_POLICIES[policy_id]
        response = self._cloudfront.get_cache_policy(Id=policy_id)
        config = response["CachePolicy"]["CachePolicyConfig"]
        return parse_cache_policy(policy_id, cast("dict[str, Any]", config))

    def origin_request_policy(self, policy_id: str) -> OriginRequestPolicy:
        if policy_id in managed_policies.ORIGIN_REQUEST_POLICIES:
            return managed_policies.ORIGIN_REQUEST_POLICIES[policy_id]
        response = self._cloudfront.get_origin_request_policy(Id=policy_id)
        config = response["OriginRequestPolicy"]["OriginRequestPolicyConfig"]
        return parse_origin_request_policy(policy_id, cast("dict[str, Any]", config))

    def response_headers_policy(self, policy_id: str) -> ResponseHeadersPolicy:
        if policy_id in managed_policies.RESPONSE_HEADERS_POLICIES:
            return managed_policies.RESPONSE_HEADERS_POLICIES[policy_id]
        response = self._cloudfront.get_response_headers_policy(Id=policy_id)
        config = response["ResponseHeadersPolicy"]["ResponseHeadersPolicyConfig"]
        return parse_response_headers_policy(policy_id, cast("dict[str, Any]", config))

    def access_control_signing(self, access_control_id: str) -> str:
        response = self._cloudfront.get_origin_access_control(Id=access_control_id)
        return response["OriginAccessControl"]["OriginAccessControlConfig"]["SigningBehavior"]

    def trusted_keys(self, key_group_id: str) -> dict[str, str]:
        try:
            group = self._cloudfront.get_key_group(Id=key_group_id)["KeyGroup"]
        except self._cloudfront.exceptions.NoSuchResource as error:
            # UpdateDistribution: "TrustedKeyGroupDoesNotExist".
            raise CommandError(
                f"The trusted key group {key_group_id} does not exist. Create it before the cache "
                "behavior that trusts it."
            ) from error
        keys = {}
        for key_id in group["KeyGroupConfig"]["Items"]:
            key = self._cloudfront.get_public_key(Id=key_id)["PublicKey"]
            keys[key_id] = key["PublicKeyConfig"]["EncodedKey"]
        return keys

    def web_acl(self, arn: str) -> WebAcl:
        return read_web_acl(self._endpoint, arn)

    def association(
        self, event_type: EventType, arn: str, *, include_body: bool
    ) -> FunctionAssociation:
        refusal = check_association(event_type, arn, None)
        if refusal is None:
            configuration = self._configuration(arn)
            trust = self._trust(configuration["Role"]) if configuration else None
            refusal = check_association(event_type, arn, configuration, trust)
        replica = self._replica(arn) if refusal is None else None
        return FunctionAssociation(event_type, arn, include_body, refusal, replica)

    def _replica(self, arn: str) -> str | None:
        """Return the ARN of a version's replica in the edge location's Region; None in its own.

        Raises:
            UnavailableError: The emulated AWS didn't create the replica.
        """
        if arn.split(":")[3] == self._endpoint.region:
            return None
        query = urlencode({"arn": arn, "region": self._endpoint.region})
        request = Request(f"{self._endpoint.url}/_local/function-replica?{query}", method="POST")
        try:
            with urlopen(request, timeout=_REPLICA_TIMEOUT_S) as response:
                return str(json.load(response)["arn"])
        except OSError as error:
            raise UnavailableError(
                f"Can't replicate {arn} to {self._endpoint.region}: {error}. Use --region "
                f"{arn.split(':')[3]} if {self._endpoint.url} has no replicas."
            ) from error

    def _trust(self, role_arn: str) -> dict[str, Any] | None:
        client = _client(self._endpoint, "iam", "us-east-1")
        try:
            role = client.get_role(RoleName=role_arn.rpartition("/")[2])["Role"]
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return None
            raise
        return cast("dict[str, Any]", role["AssumeRolePolicyDocument"])

    def _configuration(self, arn: str) -> dict[str, Any]:
        client = _client(self._endpoint, "lambda", "us-east-1")
        try:
            response = client.get_function_configuration(FunctionName=arn)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return {}
            raise
        return cast("dict[str, Any]", response)
