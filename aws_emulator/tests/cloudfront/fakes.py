"""In-memory functions and origins, and helpers that run requests through an edge location."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from typing import Any, Final

from aws_emulator.cloudfront import headers as h
from aws_emulator.cloudfront.edge_location import EdgeLocation, ServedResponse
from aws_emulator.cloudfront.errors import EdgeError
from aws_emulator.cloudfront.model import (
    CacheBehavior,
    CustomErrorResponse,
    Distribution,
    EventType,
    FunctionAssociation,
    Origin,
    OriginGroup,
    Request,
    Viewer,
)
from aws_emulator.cloudfront.origins.client import OriginResponse
from aws_emulator.cloudfront.policies import CachePolicy

ARN: Final = "arn:aws:cloudfront::000000000000:distribution/E1"
CACHING: Final = CachePolicy("caching", 0, 60, 600)
NO_CACHING: Final = CachePolicy("no-caching", 0, 0, 0)
ALL_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"})
VIEWER: Final = Viewer("192.0.2.1", 1)
BUCKET: Final = Origin("site", "s3", "b.s3.us-east-1.amazonaws.com", signing_behavior="always")
OTHER: Final = Origin("other", "custom", "localhost", protocol="http", port=8000)


class FakeFunctions:
    """Functions by event type. `events` records the event of each invocation."""

    def __init__(self, **functions: Callable[[dict[str, Any]], Any]) -> None:
        self._functions = {name.replace("_", "-"): each for name, each in functions.items()}
        self.events: list[dict[str, Any]] = []

    async def invoke(self, association: FunctionAssociation, event: dict[str, Any]) -> Any:
        self.events.append(event)
        # A copy, because a real function can't change the caller's event either.
        copied = json.loads(json.dumps(event))
        return self._functions[association.event_type](copied["Records"][0]["cf"])

    def invoked(self) -> list[str]:
        return [event["Records"][0]["cf"]["config"]["eventType"] for event in self.events]


class StreamedResponse(OriginResponse):
    """An origin response with a body in chunks."""

    pieces: tuple[bytes, ...] = ()
    closed = False

    async def chunks(self) -> AsyncGenerator[bytes]:
        for piece in self.pieces:
            yield piece

    def close(self) -> None:
        self.closed = True


def origin_response(status: int = 200, *pieces: bytes, **headers: str) -> StreamedResponse:
    """Build an origin response."""
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    response = StreamedResponse(status, "", h.collect(pairs), None)
    response.pieces = pieces
    return response


class FakeOrigins:
    """Origins by ID. Each returns its responses in order, and repeats the last one."""

    def __init__(self, **responses: list[Callable[[], OriginResponse] | EdgeError]) -> None:
        self._responses = responses
        self.requests: list[tuple[Origin, Request]] = []

    async def send(self, origin: Origin, request: Request, distribution_arn: str) -> OriginResponse:
        assert distribution_arn == ARN
        self.requests.append((origin, request))
        queue = self._responses[origin.id]
        response = queue.pop(0) if len(queue) > 1 else queue[0]
        if isinstance(response, EdgeError):
            raise response
        return response()


def associations(
    *event_types: EventType, body: bool = False
) -> dict[EventType, FunctionAssociation]:
    """Associate a function with each event type."""
    return {
        each: FunctionAssociation(each, f"arn:{each}:1", include_body=body) for each in event_types
    }


def behavior(path_pattern: str, *event_types: EventType, **fields: Any) -> CacheBehavior:
    """Build a cache behavior that allows all methods and doesn't cache."""
    body = fields.pop("body", False)
    return CacheBehavior(
        path_pattern,
        fields.pop("target", "site"),
        fields.pop("cache", NO_CACHING),
        associations=associations(*event_types, body=body),
        **{"allowed_methods": ALL_METHODS, **fields},
    )


def distribution(
    *behaviors: CacheBehavior, errors: tuple[CustomErrorResponse, ...] = (), enabled: bool = True
) -> Distribution:
    """Build a distribution with a bucket, another origin, and a group of both."""
    return Distribution(
        id="E1",
        arn=ARN,
        domain="d.cloudfront.net",
        enabled=enabled,
        default_root_object="index.html",
        behaviors=(*behaviors, CacheBehavior("*", "site", CACHING)),
        origins={"site": BUCKET, "other": OTHER},
        origin_groups={"group": OriginGroup("group", ("site", "other"), frozenset({500, 403}))},
        custom_error_responses={each.error_code: each for each in errors},
    )


def edge_location(
    deployed: Distribution,
    functions: FakeFunctions | None = None,
    origins: FakeOrigins | None = None,
) -> EdgeLocation:
    """Build an edge location that serves a distribution."""
    edge = EdgeLocation(functions or FakeFunctions(), origins or FakeOrigins())
    edge.deploy(deployed)
    return edge


def request(
    uri: str = "/a", method: str = "GET", body: bytes = b"", query: str = "", **headers: str
) -> Request:
    """Build a viewer request."""
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return Request(method, uri, query, h.collect([("Host", "x.example"), *pairs]), body)


def serve(edge: EdgeLocation, viewer_request: Request) -> tuple[ServedResponse, bytes]:
    """Serve a request; return the response and its complete body."""

    async def run() -> tuple[ServedResponse, bytes]:
        served = await edge.serve(viewer_request, VIEWER, "id")
        if served.stream is None:
            return served, served.response.body or b""
        return served, b"".join([chunk async for chunk in served.stream])

    return asyncio.run(run())


def x_cache(served: ServedResponse) -> str | None:
    """Return the X-Cache header."""
    return h.joined(served.response.headers, "x-cache")


def unchanged(cf: dict[str, Any]) -> Any:
    """Return the request or response of an event, as a function that changes nothing."""
    return cf["response"] if "response" in cf else cf["request"]
