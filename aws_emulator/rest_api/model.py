"""What is served: operations, integrations, requests and answers, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aws_emulator.rest_api.schema import Schema

type Headers = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it arrived. `path` begins after the stage; `headers` have lower-case names."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    source_ip: str = "127.0.0.1"

    @property
    def media_type(self) -> str:
        """The body's type without parameters; API Gateway takes JSON where none is named."""
        written = self.headers.get("content-type", "application/json")
        return written.partition(";")[0].strip().lower()


@dataclass(frozen=True, slots=True)
class Answer:
    """A response."""

    status: int
    headers: Headers
    body: bytes


@dataclass(frozen=True, slots=True)
class IntegrationResponse:
    """How one kind of a service's answers becomes an answer of the API."""

    pattern: str
    status: int
    parameters: Mapping[str, str]
    template: str | None
    media_type: str


@dataclass(frozen=True, slots=True)
class Service:
    """The call behind an operation: an action of a service, or a path of it."""

    region: str
    name: str
    action: str | None
    path: str
    http_method: str
    role: str


@dataclass(frozen=True, slots=True)
class Integration:
    """What answers an operation; `service` is None for a mock."""

    service: Service | None
    parameters: Mapping[str, str]
    templates: Mapping[str, str]
    responses: tuple[IntegrationResponse, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """A method of a resource. `required` are (place, name) of parameters that must not be blank."""

    method: str
    resource: str
    required: tuple[tuple[str, str], ...]
    models: Mapping[str, Schema]
    pools: tuple[str, ...]
    scopes: tuple[str, ...]
    integration: Integration


@dataclass(frozen=True, slots=True)
class GatewayResponse:
    """How API Gateway words one type of its own answers."""

    status: int | None
    parameters: Mapping[str, str]
    template: str | None


@dataclass(frozen=True, slots=True)
class Definition:
    """A whole API. `operations` by (method, resource)."""

    title: str
    operations: Mapping[tuple[str, str], Operation]
    gateway_responses: Mapping[str, GatewayResponse]


type Context = dict[str, Any]
