"""The adapter to CloudFront's API: reads the deployed distribution into the model."""

from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from aws_emulator.cloudfront import managed
from aws_emulator.cloudfront.association import check_association
from aws_emulator.cloudfront.distributionparts import build_distribution
from aws_emulator.cloudfront.model import Association, Distribution, EventType
from aws_emulator.cloudfront.policies import (
    CachePolicy,
    OriginRequestPolicy,
    ResponseHeadersPolicy,
    parse_cache_policy,
    parse_origin_request_policy,
    parse_response_headers_policy,
)
from aws_emulator.cloudfront.settings import Endpoint
from aws_emulator.errors import CommandError

if TYPE_CHECKING:
    from mypy_boto3_cloudfront import CloudFrontClient


@lru_cache(maxsize=8)
def _client(endpoint: Endpoint, service: str, region: str) -> Any:
    session = boto3.session.Session(
        aws_access_key_id=endpoint.credentials.access_key,
        aws_secret_access_key=endpoint.credentials.secret_key,
        aws_session_token=endpoint.credentials.token,
        region_name=region,
    )
    config = Config(connect_timeout=3, read_timeout=20, retries={"max_attempts": 1})
    return session.client(service, endpoint_url=endpoint.url, config=config)  # type: ignore[call-overload]  # the service's name is a variable


class Deployed:
    """Reads distributions from the CloudFront API. Its calls block: run them in a thread."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._cloudfront: CloudFrontClient = _client(endpoint, "cloudfront", "us-east-1")

    def find(self, wanted: str | None) -> str:
        """Give the id of the distribution to serve: the wanted one, or the only one.

        Raises CommandError where there is none, or more than one.
        """
        try:
            listed = [
                item
                for page in self._cloudfront.get_paginator("list_distributions").paginate()
                for item in page["DistributionList"].get("Items", [])
            ]
        except (ClientError, BotoCoreError) as error:
            raise CommandError(
                f"The CloudFront API at {self._endpoint.url} does not answer: {error}"
            ) from error
        ids = [item["Id"] for item in listed]
        if wanted is not None:
            if wanted not in ids:
                raise CommandError(f"There is no distribution {wanted} at {self._endpoint.url}.")
            return wanted
        if not ids:
            raise CommandError(
                f"No CloudFront distribution is deployed at {self._endpoint.url}: deploy the "
                "template first."
            )
        if len(ids) > 1:
            raise CommandError(
                f"Several distributions are deployed ({', '.join(ids)}): name one with "
                "--distribution."
            )
        return ids[0]

    def load(self, distribution_id: str) -> Distribution:
        """Read a distribution with everything that it names.

        Raises CommandError where it can't be read, or uses what the local edge does not serve.
        """
        try:
            found = self._cloudfront.get_distribution(Id=distribution_id)
            return build_distribution(
                cast("dict[str, Any]", found["Distribution"]), _Lookup(self._endpoint)
            )
        except (ClientError, BotoCoreError) as error:
            raise CommandError(
                f"The distribution {distribution_id} can't be read: {error}"
            ) from error


class _Lookup:
    """What a distribution names: policies, access controls, functions."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._cloudfront: CloudFrontClient = _client(endpoint, "cloudfront", "us-east-1")

    def cache_policy(self, policy_id: str) -> CachePolicy:
        if policy_id in managed.CACHE_POLICIES:
            return managed.CACHE_POLICIES[policy_id]
        found = self._cloudfront.get_cache_policy(Id=policy_id)
        config = found["CachePolicy"]["CachePolicyConfig"]
        return parse_cache_policy(policy_id, cast("dict[str, Any]", config))

    def origin_request_policy(self, policy_id: str) -> OriginRequestPolicy:
        if policy_id in managed.ORIGIN_REQUEST_POLICIES:
            return managed.ORIGIN_REQUEST_POLICIES[policy_id]
        found = self._cloudfront.get_origin_request_policy(Id=policy_id)
        config = found["OriginRequestPolicy"]["OriginRequestPolicyConfig"]
        return parse_origin_request_policy(policy_id, cast("dict[str, Any]", config))

    def response_headers_policy(self, policy_id: str) -> ResponseHeadersPolicy:
        if policy_id in managed.RESPONSE_HEADERS_POLICIES:
            return managed.RESPONSE_HEADERS_POLICIES[policy_id]
        found = self._cloudfront.get_response_headers_policy(Id=policy_id)
        config = found["ResponseHeadersPolicy"]["ResponseHeadersPolicyConfig"]
        return parse_response_headers_policy(policy_id, cast("dict[str, Any]", config))

    def signing(self, access_control_id: str) -> str:
        found = self._cloudfront.get_origin_access_control(Id=access_control_id)
        return found["OriginAccessControl"]["OriginAccessControlConfig"]["SigningBehavior"]

    def association(self, event_type: EventType, arn: str, *, include_body: bool) -> Association:
        refusal = check_association(event_type, arn, None)
        if refusal is None:
            configuration = self._configuration(arn)
            trust = self._trust(configuration["Role"]) if configuration else None
            refusal = check_association(event_type, arn, configuration, trust)
        return Association(event_type, arn, include_body, refusal)

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
            found = client.get_function_configuration(FunctionName=arn)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return {}
            raise
        return cast("dict[str, Any]", found)
