"""The deployed distribution, and the requests and responses that it serves, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from aws_emulator.cloudfront.headers import HeaderMap
from aws_emulator.cloudfront.policies import CachePolicy, OriginRequestPolicy, ResponseHeadersPolicy

EventType = Literal["viewer-request", "origin-request", "origin-response", "viewer-response"]
EVENT_TYPES: Final[tuple[EventType, ...]] = (
    "viewer-request",
    "origin-request",
    "origin-response",
    "viewer-response",
)


@dataclass(frozen=True, slots=True)
class FunctionAssociation:
    """A Lambda@Edge function associated with one event type of a cache behavior.

    `refusal` states why CloudFront would reject the association, else None. `replica` is the ARN of
    the version's replica in the Region of the edge location; None in the function's own Region.
    """

    event_type: EventType
    arn: str
    include_body: bool = False
    refusal: str | None = None
    replica: str | None = None


@dataclass(frozen=True, slots=True)
class OriginAccessIdentity:
    """The legacy identity with which CloudFront reads an S3 bucket."""

    id: str
    canonical_user_id: str


@dataclass(frozen=True, slots=True)
class Origin:
    """One origin. Timeouts are in seconds.

    `signing_behavior` is that of the origin access control, None without one. `access_identity` is
    the origin access identity, None without one. `region` is the Region of the bucket.
    """

    id: str
    kind: Literal["s3", "custom"]
    domain: str
    path: str = ""
    custom_headers: tuple[tuple[str, str], ...] = ()
    signing_behavior: Literal["always", "never", "no-override"] | None = None
    access_identity: OriginAccessIdentity | None = None
    region: str = "us-east-1"
    protocol: Literal["http", "https"] = "https"
    port: int = 443
    read_timeout: int = 30
    keepalive_timeout: int = 5
    ssl_protocols: tuple[str, ...] = ("TLSv1.2",)
    attempts: int = 3
    connect_timeout: int = 10


#: Optimize high availability with origin failover: "CloudFront fails over to the secondary origin
#: only when the HTTP method of the viewer request is GET, HEAD, or OPTIONS."
FAILOVER_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class OriginGroup:
    """Two origins, and the status codes of the first that cause failover to the second."""

    id: str
    members: tuple[str, ...]
    statuses: frozenset[int]


#: The public keys of a behavior's trusted key groups: ID to PEM.
type TrustedKeys = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class CacheBehavior:
    """One cache behavior. `path_pattern` is "*" for the default cache behavior.

    `key_groups` are the IDs of the trusted key groups, and `trusted_keys` their public keys. With a
    group, requests need a signed URL or signed cookies.
    """

    path_pattern: str
    target_origin_id: str
    cache_policy: CachePolicy
    origin_request_policy: OriginRequestPolicy | None = None
    response_headers_policy: ResponseHeadersPolicy | None = None
    viewer_protocol_policy: Literal["allow-all", "https-only", "redirect-to-https"] = "allow-all"
    allowed_methods: frozenset[str] = frozenset({"GET", "HEAD"})
    cached_methods: frozenset[str] = frozenset({"GET", "HEAD"})
    associations: dict[EventType, FunctionAssociation] = field(default_factory=dict)
    key_groups: tuple[str, ...] = ()
    trusted_keys: TrustedKeys = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CustomErrorResponse:
    """The custom error page and the minimum TTL for one status code of the origin."""

    error_code: int
    error_caching_min_ttl_s: float
    response_page_path: str | None = None
    response_code: int | None = None


class WebAclRules(Protocol):
    """A web ACL of AWS WAF; `web_acl.acl.WebAcl` implements it."""

    @property
    def arn(self) -> str:
        """The ARN of the web ACL."""

    def inspect(self, request: "Request", viewer: "Viewer") -> None:
        """Evaluate the rules.

        Raises:
            WebAclBlockError: A rule or the default action blocks the request.
        """


@dataclass(frozen=True, slots=True)
class Distribution:
    """A deployed distribution.

    `behaviors` are in CloudFront's order, the default cache behavior last. `notes` are warnings for
    the person who starts the emulator.
    """

    id: str
    arn: str
    domain: str
    enabled: bool
    default_root_object: str
    behaviors: tuple[CacheBehavior, ...]
    origins: dict[str, Origin]
    origin_groups: dict[str, OriginGroup] = field(default_factory=dict)
    custom_error_responses: dict[int, CustomErrorResponse] = field(default_factory=dict)
    web_acl: WebAclRules | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Viewer:
    """The viewer's address, port and location; unknown location fields are empty (None)."""

    address: str
    port: int = 0
    country: str | None = None
    region: str | None = None
    city: str | None = None
    time_zone: str | None = None


@dataclass(slots=True)
class Request:
    """A request. `uri` is the raw path, `query` the raw query string without "?"."""

    method: str
    uri: str
    query: str
    headers: HeaderMap
    body: bytes = b""
    http_version: str = "1.1"


@dataclass(slots=True)
class Response:
    """A response. `body` stays None while the origin is sending it."""

    status: int
    headers: HeaderMap
    body: bytes | None = b""
    reason: str = ""
