"""An API definition, and its requests and responses, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from aws_emulator.rest_api.request_model import RequestModel

#: The HTTP method of a Method that serves each method without a Method of its own.
ANY: Final = "ANY"

type Headers = list[tuple[str, str]]
type Context = dict[str, Any]
#: Request parameters by location: "path", "querystring", "header".
type Parameters = Mapping[str, Mapping[str, str]]
type PassthroughBehavior = Literal["when_no_match", "when_no_templates", "never"]


@dataclass(frozen=True, slots=True)
class Request:
    """A client's request. `path` starts after the stage name; header names are lower-case."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    source_ip: str = "127.0.0.1"

    @property
    def content_type(self) -> str:
        """The Content-Type header. API Gateway uses application/json if it is missing."""
        return self.headers.get("content-type", "application/json")

    @property
    def media_type(self) -> str:
        """The content type in lower case, without parameters."""
        return self.content_type.partition(";")[0].strip().lower()


@dataclass(frozen=True, slots=True)
class Response:
    """A response to the client."""

    status: int
    headers: Headers
    body: bytes


@dataclass(frozen=True, slots=True)
class IntegrationRequest:
    """The request to the AWS service, with the body that the mapping template rendered."""

    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class ServiceResponse:
    """The response of the AWS service."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class IntegrationResponse:
    """The integration response for the service status codes that match `selection_pattern`."""

    selection_pattern: str
    status: int
    parameters: Mapping[str, str]
    template: str | None
    media_type: str


@dataclass(frozen=True, slots=True)
class Service:
    """The AWS service of an integration: either an API action, or a path.

    `timeout_s` is how long API Gateway waits for its response.
    """

    region: str
    name: str
    action: str | None
    path: str
    http_method: str
    role: str
    timeout_s: float = 29.0


@dataclass(frozen=True, slots=True)
class Integration:
    """The integration of a method. A mock integration has no `service`.

    A Lambda proxy integration (aws_proxy) has no parameters, templates and responses.
    """

    service: Service | None
    parameters: Mapping[str, str]
    templates: Mapping[str, str]
    responses: tuple[IntegrationResponse, ...]
    passthrough_behavior: PassthroughBehavior = "when_no_match"
    is_lambda_proxy: bool = False


@dataclass(frozen=True, slots=True)
class Method:
    """A method of a resource.

    `required_parameters` holds (location, name). `user_pools` are the ARNs of the authorizer's user
    pools, `scopes` the authorization scopes. `api_key_required` demands a key of a usage plan.
    """

    http_method: str
    resource: str
    required_parameters: tuple[tuple[str, str], ...]
    models: Mapping[str, RequestModel]
    user_pools: tuple[str, ...]
    scopes: tuple[str, ...]
    integration: Integration
    api_key_required: bool = False


@dataclass(frozen=True, slots=True)
class GatewayResponse:
    """The configuration of one gateway response type."""

    status: int | None
    parameters: Mapping[str, str]
    template: str | None


@dataclass(frozen=True, slots=True)
class Definition:
    """An API. `methods` maps (HTTP method, resource) to a method."""

    title: str
    methods: Mapping[tuple[str, str], Method]
    gateway_responses: Mapping[str, GatewayResponse]
