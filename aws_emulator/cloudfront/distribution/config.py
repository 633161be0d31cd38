"""Parse a Distribution of the CloudFront API into the model.

The parser rejects what CloudFront rejects, and what the emulator doesn't support; it returns a
note for each setting that it ignores. README.md of `aws_emulator.cloudfront` lists every setting.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Literal, Protocol, cast

from aws_emulator.cloudfront.distribution.legacy_cache_settings import parse_legacy_cache_settings
from aws_emulator.cloudfront.model import (
    EVENT_TYPES,
    FAILOVER_METHODS,
    CacheBehavior,
    CustomErrorResponse,
    Distribution,
    EventType,
    FunctionAssociation,
    Origin,
    OriginAccessIdentity,
    OriginGroup,
)
from aws_emulator.cloudfront.origins.client import bucket_of
from aws_emulator.cloudfront.policies import CachePolicy, OriginRequestPolicy, ResponseHeadersPolicy
from aws_emulator.cloudfront.web_acl.acl import WebAcl
from aws_emulator.errors import CommandError

type Json = dict[str, Any]


class ConfigLookup(Protocol):
    """Resolve the IDs and ARNs in a distribution configuration."""

    def cache_policy(self, policy_id: str) -> CachePolicy:
        """Return a cache policy."""
        ...

    def origin_request_policy(self, policy_id: str) -> OriginRequestPolicy:
        """Return an origin request policy."""
        ...

    def response_headers_policy(self, policy_id: str) -> ResponseHeadersPolicy:
        """Return a response headers policy."""
        ...

    def access_control_signing(self, access_control_id: str) -> str:
        """Return the signing behavior of an origin access control."""
        ...

    def trusted_keys(self, key_group_id: str) -> dict[str, str]:
        """Return the public keys of a key group: ID to PEM.

        Raises:
            CommandError: The key group doesn't exist.
        """
        ...

    def web_acl(self, arn: str) -> WebAcl:
        """Return a web ACL.

        Raises:
            CommandError: It doesn't exist, or the emulator doesn't support a rule.
        """
        ...

    def association(
        self, event_type: EventType, arn: str, *, include_body: bool
    ) -> FunctionAssociation:
        """Return a Lambda@Edge function association."""
        ...


def _items(section: Any) -> list[Any]:
    return list((section or {}).get("Items") or [])


def parse_distribution(distribution: Json, lookup: ConfigLookup) -> Distribution:
    """Parse a Distribution of the CloudFront API.

    Raises:
        CommandError: CloudFront would reject it, or the emulator doesn't support it.
    """
    config = distribution["DistributionConfig"]
    _check_certificate(config)
    account = distribution["ARN"].split(":")[4]
    origins = {item["Id"]: _origin(item, lookup, account) for item in _items(config.get("Origins"))}
    groups = {item["Id"]: _group(item) for item in _items(config.get("OriginGroups"))}
    # "The default cache behavior is always the last to be processed."
    items = [*_items(config.get("CacheBehaviors")), config["DefaultCacheBehavior"]]
    behaviors = []
    for item in items:
        pattern = item.get("PathPattern", "*")
        target = groups.get(item["TargetOriginId"])
        origin = origins.get(target.members[0] if target else item["TargetOriginId"])
        if origin is None:
            raise CommandError(
                f"The cache behavior {pattern} targets the origin {item['TargetOriginId']}, which "
                "is not defined. Add it to Origins or OriginGroups."
            )
        behavior = _behavior(item, pattern, origin, lookup)
        if target and not behavior.allowed_methods <= FAILOVER_METHODS:
            # CloudFront's API: "The parameter AllowedMethods cannot include POST, PUT, PATCH, or
            # DELETE for a cached behavior associated with an origin group."
            raise CommandError(
                f"The cache behavior {pattern} targets the origin group {target.id}, so its "
                "AllowedMethods can't include POST, PUT, PATCH or DELETE."
            )
        behaviors.append(behavior)
    return Distribution(
        id=distribution["Id"],
        arn=distribution["ARN"],
        domain=distribution["DomainName"],
        enabled=bool(config.get("Enabled", True)),
        default_root_object=str(config.get("DefaultRootObject") or "").removeprefix("/"),
        behaviors=tuple(behaviors),
        origins=origins,
        origin_groups=groups,
        custom_error_responses={
            each.error_code: each
            for each in map(_error_response, _items(config.get("CustomErrorResponses")))
        },
        web_acl=_web_acl(config.get("WebACLId"), lookup),
        notes=tuple(_notes(config)),
    )


def _web_acl(arn: str | None, lookup: ConfigLookup) -> WebAcl | None:
    if not arn:
        return None
    if not arn.startswith("arn:"):
        raise CommandError(
            f"The web ACL {arn} is one of AWS WAF Classic. Use the ARN of an AWS::WAFv2::WebACL."
        )
    return lookup.web_acl(arn)


def _check_certificate(config: Json) -> None:
    """Check that the alternate domain names have a certificate.

    CloudFront uses certificates of ACM in us-east-1 only ("Requirements for using SSL/TLS
    certificates with CloudFront").

    Raises:
        CommandError: There is none, or it is in another Region.
    """
    names = _items(config.get("Aliases"))
    certificate = str((config.get("ViewerCertificate") or {}).get("ACMCertificateArn") or "")
    if names and not certificate.startswith("arn:aws:acm:us-east-1:"):
        raise CommandError(
            f"The domain names {', '.join(names)} need a certificate of ACM in us-east-1, not "
            f"{certificate or 'none'}. Set ACMCertificateArn in ViewerCertificate."
        )


def _behavior(item: Json, pattern: str, origin: Origin, lookup: ConfigLookup) -> CacheBehavior:
    cache_policy, origin_request_policy = _policies(item, pattern, origin, lookup)
    key_groups = _key_groups(item, pattern)
    methods = item.get("AllowedMethods") or {}
    response_headers = item.get("ResponseHeadersPolicyId")
    return CacheBehavior(
        path_pattern=pattern,
        target_origin_id=item["TargetOriginId"],
        cache_policy=cache_policy,
        origin_request_policy=origin_request_policy,
        response_headers_policy=(
            lookup.response_headers_policy(response_headers) if response_headers else None
        ),
        viewer_protocol_policy=item.get("ViewerProtocolPolicy", "allow-all"),
        allowed_methods=frozenset(_items(methods) or ["GET", "HEAD"]),
        cached_methods=frozenset(_items(methods.get("CachedMethods")) or ["GET", "HEAD"]),
        associations=_associations(item, pattern, lookup),
        key_groups=key_groups,
        trusted_keys={
            key_id: pem
            for group in key_groups
            for key_id, pem in lookup.trusted_keys(group).items()
        },
    )


def _key_groups(item: Json, pattern: str) -> tuple[str, ...]:
    if (item.get("TrustedSigners") or {}).get("Enabled"):
        raise CommandError(
            f"The cache behavior {pattern} trusts AWS accounts (TrustedSigners), whose key pairs "
            "have no API. Use TrustedKeyGroups."
        )
    groups = item.get("TrustedKeyGroups") or {}
    # API reference, TrustedKeyGroups: "Enabled: This field is true if any of the key groups in the
    # list have public keys that CloudFront can use to verify the signatures".
    return tuple(_items(groups)) if groups.get("Enabled") else ()


def _policies(
    item: Json, pattern: str, origin: Origin, lookup: ConfigLookup
) -> tuple[CachePolicy, OriginRequestPolicy | None]:
    policy_id = item.get("CachePolicyId")
    origin_request_id = item.get("OriginRequestPolicyId")
    forwarded = item.get("ForwardedValues")
    # API reference, DefaultCacheBehavior: "A DefaultCacheBehavior must include either a
    # CachePolicyId or ForwardedValues."
    if bool(policy_id) == bool(forwarded):
        raise CommandError(
            f"The cache behavior {pattern} must have either CachePolicyId or ForwardedValues."
        )
    if forwarded:
        if origin_request_id:
            raise CommandError(
                f"The cache behavior {pattern} combines OriginRequestPolicyId with "
                "ForwardedValues. An origin request policy requires CachePolicyId."
            )
        return parse_legacy_cache_settings(
            item, path_pattern=pattern, s3_origin=origin.kind == "s3"
        )
    return (
        lookup.cache_policy(str(policy_id)),
        lookup.origin_request_policy(origin_request_id) if origin_request_id else None,
    )


def _associations(
    item: Json, pattern: str, lookup: ConfigLookup
) -> dict[EventType, FunctionAssociation]:
    associations: dict[EventType, FunctionAssociation] = {}
    for each in _items(item.get("LambdaFunctionAssociations")):
        event_type = each["EventType"]
        if event_type not in EVENT_TYPES:
            raise CommandError(
                f"The cache behavior {pattern} has an unknown event type: {event_type}."
            )
        # Restrictions on all edge functions: "Each event type … can have only one edge function
        # association."
        if event_type in associations:
            raise CommandError(f"The cache behavior {pattern} has two {event_type} functions.")
        associations[event_type] = lookup.association(
            event_type, each["LambdaFunctionARN"], include_body=bool(each.get("IncludeBody"))
        )
    for each in _items(item.get("FunctionAssociations")):
        # "You can't combine CloudFront Functions and Lambda@Edge in viewer events."
        if {"viewer-request", "viewer-response"} & associations.keys():
            raise CommandError(
                f"The cache behavior {pattern} combines a CloudFront Function and Lambda@Edge in "
                "viewer events."
            )
        raise CommandError(
            f"The cache behavior {pattern} has a CloudFront Function ({each['EventType']}). The "
            "emulator runs Lambda@Edge functions only."
        )
    return associations


def _origin(item: Json, lookup: ConfigLookup, account: str) -> Origin:
    domain = item["DomainName"]
    common: Json = {
        "id": item["Id"],
        "domain": domain,
        "path": str(item.get("OriginPath") or "").rstrip("/"),
        "custom_headers": tuple(
            (each["HeaderName"], each["HeaderValue"]) for each in _items(item.get("CustomHeaders"))
        ),
        "attempts": int(item.get("ConnectionAttempts") or 3),
        "connect_timeout": int(item.get("ConnectionTimeout") or 10),
    }
    if item.get("VpcOriginConfig"):
        raise CommandError(f"The origin {item['Id']} is a VPC origin. The emulator has no VPCs.")
    custom = item.get("CustomOriginConfig")
    if custom:
        return _custom_origin(custom, common)
    control = item.get("OriginAccessControlId")
    location = bucket_of(domain)
    return Origin(
        kind="s3",
        signing_behavior=cast(
            'Literal["always", "never", "no-override"] | None',
            lookup.access_control_signing(control) if control else None,
        ),
        access_identity=_access_identity(item, account),
        region=location[1] if location else "us-east-1",
        # API reference, S3OriginConfig, OriginReadTimeout: 30 seconds by default.
        read_timeout=int((item.get("S3OriginConfig") or {}).get("OriginReadTimeout") or 30),
        **common,
    )


def _custom_origin(custom: Json, common: Json) -> Origin:
    # "Match Viewer": HTTP on the loopback represents HTTPS.
    http = custom.get("OriginProtocolPolicy") == "http-only"
    return Origin(
        kind="custom",
        protocol="http" if http else "https",
        port=int(custom.get("HTTPPort", 80) if http else custom.get("HTTPSPort", 443)),
        read_timeout=int(custom.get("OriginReadTimeout") or 30),
        keepalive_timeout=int(custom.get("OriginKeepaliveTimeout") or 5),
        ssl_protocols=tuple(_items(custom.get("OriginSslProtocols")) or ["TLSv1.2"]),
        **common,
    )


def _access_identity(item: Json, account: str) -> OriginAccessIdentity | None:
    written = str((item.get("S3OriginConfig") or {}).get("OriginAccessIdentity") or "")
    if not written:
        return None
    # API reference, S3OriginConfig: "The format of the value is:
    # origin-access-identity/cloudfront/ID-of-origin-access-identity".
    prefix, _, identity = written.rpartition("/")
    if prefix != "origin-access-identity/cloudfront" or not identity:
        raise CommandError(
            f"The origin {item['Id']} has an invalid OriginAccessIdentity: {written}. Use "
            "origin-access-identity/cloudfront/ID."
        )
    if item.get("OriginAccessControlId"):
        raise CommandError(
            f"The origin {item['Id']} has both OriginAccessControlId and OriginAccessIdentity."
        )
    # MiniStack has no API for access identities; its CloudFormation derives S3CanonicalUserId so.
    canonical = hashlib.sha256(f"{account}:{identity}".encode()).hexdigest()
    return OriginAccessIdentity(identity, canonical)


def _group(item: Json) -> OriginGroup:
    criteria = (item.get("FailoverCriteria") or {}).get("StatusCodes")
    return OriginGroup(
        id=item["Id"],
        members=tuple(member["OriginId"] for member in _items(item.get("Members"))),
        statuses=frozenset(int(status) for status in _items(criteria)),
    )


def _error_response(item: Json) -> CustomErrorResponse:
    response_code = item.get("ResponseCode")
    # Control how long CloudFront caches errors: 10 seconds by default.
    ttl = item.get("ErrorCachingMinTTL")
    return CustomErrorResponse(
        error_code=int(item["ErrorCode"]),
        error_caching_min_ttl_s=10.0 if ttl is None else float(ttl),
        response_page_path=item.get("ResponsePagePath") or None,
        response_code=int(response_code) if response_code else None,
    )


def _notes(config: Mapping[str, Any]) -> Iterable[str]:
    behaviors = [config["DefaultCacheBehavior"], *_items(config.get("CacheBehaviors"))]
    restriction = (config.get("Restrictions") or {}).get("GeoRestriction") or {}
    ignored = {
        "The emulator doesn't enforce the geographic restriction.": (
            restriction.get("RestrictionType", "none") != "none"
        ),
        "Compression at the edge isn't emulated: responses keep the origin's encoding.": any(
            each.get("Compress") for each in behaviors
        ),
        "Field-level encryption isn't emulated.": any(
            each.get("FieldLevelEncryptionId") for each in behaviors
        ),
    }
    return [note for note, used in ignored.items() if used]
