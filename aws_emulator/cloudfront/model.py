"""The deployed distribution and the messages that pass through it, as plain values."""

from dataclasses import dataclass, field
from typing import Literal

from aws_emulator.cloudfront.headers import HeaderMap
from aws_emulator.cloudfront.policies import CachePolicy, OriginRequestPolicy, ResponseHeadersPolicy

EventType = Literal["viewer-request", "origin-request", "origin-response", "viewer-response"]
EVENT_TYPES: tuple[EventType, ...] = (
    "viewer-request",
    "origin-request",
    "origin-response",
    "viewer-response",
)


@dataclass(frozen=True, slots=True)
class Association:
    """A function of one event type of one behaviour. `refusal` is the sentence that says why it
    may not be associated at CloudFront, None where it may."""

    event_type: EventType
    arn: str
    include_body: bool = False
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """One origin. Times in seconds. `signing` is the origin access control's signing behaviour
    (None: the origin has no access control), `region` the bucket's or API's region."""

    id: str
    kind: Literal["s3", "custom"]
    domain: str
    path: str = ""
    custom_headers: tuple[tuple[str, str], ...] = ()
    signing: Literal["always", "never", "no-override"] | None = None
    region: str = "us-east-1"
    protocol: Literal["http", "https"] = "https"
    port: int = 443
    read_timeout: int = 30
    keepalive_timeout: int = 5
    ssl_protocols: tuple[str, ...] = ("TLSv1.2",)
    attempts: int = 3
    connect_timeout: int = 10


@dataclass(frozen=True, slots=True)
class OriginGroup:
    """Two origins, and the statuses of the first that send a request to the second."""

    id: str
    members: tuple[str, ...]
    statuses: frozenset[int]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One cache behaviour. `pattern` is "*" for the default one."""

    pattern: str
    target: str
    cache: CachePolicy
    origin_request: OriginRequestPolicy | None = None
    response_headers: ResponseHeadersPolicy | None = None
    viewer_protocol: Literal["allow-all", "https-only", "redirect-to-https"] = "allow-all"
    allowed_methods: frozenset[str] = frozenset({"GET", "HEAD"})
    cached_methods: frozenset[str] = frozenset({"GET", "HEAD"})
    associations: dict[EventType, Association] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ErrorResponse:
    """What a status of the origin becomes. `min_ttl` in seconds."""

    status: int
    min_ttl: float
    page: str | None = None
    answer: int | None = None


@dataclass(frozen=True, slots=True)
class Distribution:
    """A deployed distribution. `behaviours` are in CloudFront's order, the default one last;
    `notes` are sentences for the person who starts the edge."""

    id: str
    arn: str
    domain: str
    enabled: bool
    default_root: str
    behaviours: tuple[Behaviour, ...]
    origins: dict[str, Origin]
    groups: dict[str, OriginGroup] = field(default_factory=dict)
    errors: dict[int, ErrorResponse] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who asks: the address and port, and what CloudFront would know of its place (None where
    it would not)."""

    address: str
    port: int = 0
    country: str | None = None
    region: str | None = None
    city: str | None = None
    time_zone: str | None = None


@dataclass(slots=True)
class Request:
    """A request on its way. `uri` is the path as it was sent, `query` without its "?"."""

    method: str
    uri: str
    query: str
    headers: HeaderMap
    body: bytes = b""
    http_version: str = "1.1"


@dataclass(slots=True)
class Response:
    """A response on its way. `body` is None while it still streams from the origin."""

    status: int
    headers: HeaderMap
    body: bytes | None = b""
    reason: str = ""
