"""Reading the CloudFront API's Distribution shape into the model."""

from typing import Any, Literal, Protocol, cast

from aws_emulator.cloudfront.model import (
    EVENT_TYPES,
    Association,
    Behaviour,
    Distribution,
    ErrorResponse,
    EventType,
    Origin,
    OriginGroup,
)
from aws_emulator.cloudfront.origins import bucket_of
from aws_emulator.cloudfront.policies import CachePolicy, OriginRequestPolicy, ResponseHeadersPolicy
from aws_emulator.errors import CommandError


class Lookup(Protocol):
    """What a distribution names by id or ARN."""

    def cache_policy(self, policy_id: str) -> CachePolicy: ...
    def origin_request_policy(self, policy_id: str) -> OriginRequestPolicy: ...
    def response_headers_policy(self, policy_id: str) -> ResponseHeadersPolicy: ...
    def signing(self, access_control_id: str) -> str: ...
    def association(
        self, event_type: EventType, arn: str, *, include_body: bool
    ) -> Association: ...


def _items(holder: Any) -> list[Any]:
    return list((holder or {}).get("Items") or [])


def build_distribution(found: dict[str, Any], lookup: Lookup) -> Distribution:
    """Read a Distribution of the CloudFront API. Raises CommandError if unsupported."""
    config = found["DistributionConfig"]
    behaviours = [
        _behaviour(item, item["PathPattern"], lookup)
        for item in _items(config.get("CacheBehaviors"))
    ]
    # "The default cache behavior is always the last to be processed."
    behaviours.append(_behaviour(config["DefaultCacheBehavior"], "*", lookup))
    origins = {item["Id"]: _origin(item, lookup) for item in _items(config.get("Origins"))}
    groups = {item["Id"]: _group(item) for item in _items(config.get("OriginGroups"))}
    for behaviour in behaviours:
        if behaviour.target not in origins.keys() | groups.keys():
            raise CommandError(
                f"The behaviour {behaviour.pattern} names an origin that is not there: "
                f"{behaviour.target}."
            )
    return Distribution(
        id=found["Id"],
        arn=found["ARN"],
        domain=found["DomainName"],
        enabled=bool(config.get("Enabled", True)),
        default_root=str(config.get("DefaultRootObject") or "").removeprefix("/"),
        behaviours=tuple(behaviours),
        origins=origins,
        groups=groups,
        errors={
            each.status: each for each in map(_error, _items(config.get("CustomErrorResponses")))
        },
        notes=tuple(_notes(config)),
    )


def _behaviour(item: dict[str, Any], pattern: str, lookup: Lookup) -> Behaviour:
    policy_id = item.get("CachePolicyId")
    if not policy_id:
        raise CommandError(
            f"The behaviour {pattern} has legacy cache settings (ForwardedValues): the local edge "
            "serves cache policies."
        )
    methods = item.get("AllowedMethods") or {}
    origin_request = item.get("OriginRequestPolicyId")
    response_headers = item.get("ResponseHeadersPolicyId")
    return Behaviour(
        pattern=pattern,
        target=item["TargetOriginId"],
        cache=lookup.cache_policy(policy_id),
        origin_request=lookup.origin_request_policy(origin_request) if origin_request else None,
        response_headers=(
            lookup.response_headers_policy(response_headers) if response_headers else None
        ),
        viewer_protocol=item.get("ViewerProtocolPolicy", "allow-all"),
        allowed_methods=frozenset(_items(methods) or ["GET", "HEAD"]),
        cached_methods=frozenset(_items(methods.get("CachedMethods")) or ["GET", "HEAD"]),
        associations=_associations(item, pattern, lookup),
    )


def _associations(
    item: dict[str, Any], pattern: str, lookup: Lookup
) -> dict[EventType, Association]:
    found: dict[EventType, Association] = {}
    for each in _items(item.get("LambdaFunctionAssociations")):
        event_type = each["EventType"]
        if event_type not in EVENT_TYPES:
            raise CommandError(f"The behaviour {pattern} has an unknown event type {event_type}.")
        # Restrictions on all edge functions: "Each event type … can have only one edge function
        # association."
        if event_type in found:
            raise CommandError(f"The behaviour {pattern} has two {event_type} functions.")
        found[event_type] = lookup.association(
            event_type, each["LambdaFunctionARN"], include_body=bool(each.get("IncludeBody"))
        )
    for each in _items(item.get("FunctionAssociations")):
        # "You can't combine CloudFront Functions and Lambda@Edge in viewer events."
        if {"viewer-request", "viewer-response"} & found.keys():
            raise CommandError(
                f"The behaviour {pattern} combines a CloudFront Function and Lambda@Edge in viewer "
                "events."
            )
        raise CommandError(
            f"The behaviour {pattern} has a CloudFront Function ({each['EventType']}): the local "
            "edge runs Lambda@Edge only."
        )
    return found


def _origin(item: dict[str, Any], lookup: Lookup) -> Origin:
    domain = item["DomainName"]
    common: dict[str, Any] = {
        "id": item["Id"],
        "domain": domain,
        "path": str(item.get("OriginPath") or "").rstrip("/"),
        "custom_headers": tuple(
            (each["HeaderName"], each["HeaderValue"]) for each in _items(item.get("CustomHeaders"))
        ),
        "attempts": int(item.get("ConnectionAttempts") or 3),
        "connect_timeout": int(item.get("ConnectionTimeout") or 10),
    }
    custom = item.get("CustomOriginConfig")
    place = bucket_of(domain)
    if not custom:
        control = item.get("OriginAccessControlId")
        signing = cast(
            'Literal["always", "never", "no-override"] | None',
            lookup.signing(control) if control else None,
        )
        region = place[1] if place else "us-east-1"
        return Origin(kind="s3", signing=signing, region=region, **common)
    # "Match Viewer": http on the loopback stands for https.
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


def _group(item: dict[str, Any]) -> OriginGroup:
    criteria = (item.get("FailoverCriteria") or {}).get("StatusCodes")
    return OriginGroup(
        id=item["Id"],
        members=tuple(member["OriginId"] for member in _items(item.get("Members"))),
        statuses=frozenset(int(status) for status in _items(criteria)),
    )


def _error(item: dict[str, Any]) -> ErrorResponse:
    answer = item.get("ResponseCode")
    # Control how long CloudFront caches errors: 10 seconds by default.
    ttl = item.get("ErrorCachingMinTTL")
    return ErrorResponse(
        status=int(item["ErrorCode"]),
        min_ttl=10.0 if ttl is None else float(ttl),
        page=item.get("ResponsePagePath") or None,
        answer=int(answer) if answer else None,
    )


def _notes(config: dict[str, Any]) -> list[str]:
    notes = []
    if config.get("WebACLId"):
        notes.append("The web ACL (WAF) is not enforced here.")
    if (config.get("Restrictions") or {}).get("GeoRestriction", {}).get(
        "RestrictionType", "none"
    ) != "none":
        notes.append("The geographic restriction is not enforced here.")
    behaviours = [config["DefaultCacheBehavior"], *_items(config.get("CacheBehaviors"))]
    if any(each.get("Compress") for each in behaviours):
        notes.append("Compression at the edge is not done here.")
    if any((each.get("TrustedKeyGroups") or {}).get("Enabled") for each in behaviours):
        notes.append("Signed URLs and cookies are not checked here.")
    return notes
