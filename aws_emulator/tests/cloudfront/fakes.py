"""What stands for Lambda and for the origins, in memory."""

import json
from collections.abc import AsyncGenerator, Callable
from typing import Any

from aws_emulator.cloudfront import headers as h
from aws_emulator.cloudfront.edge import Edge, Served
from aws_emulator.cloudfront.errors import EdgeError
from aws_emulator.cloudfront.model import (
    Association,
    Behaviour,
    Distribution,
    ErrorResponse,
    EventType,
    Origin,
    OriginGroup,
    Request,
    Viewer,
)
from aws_emulator.cloudfront.origins import OriginAnswer
from aws_emulator.cloudfront.policies import CachePolicy

ARN = "arn:aws:cloudfront::000000000000:distribution/E1"
KEPT = CachePolicy("kept", 0, 60, 600)
VIEWER = Viewer("192.0.2.1", 1)
BUCKET = Origin("portal", "s3", "b.s3.us-east-1.amazonaws.com", signing="always")
OTHER = Origin("other", "custom", "localhost", protocol="http", port=8000)


class FakeFunctions:
    """Functions by event type; each call's event is kept in `events`."""

    def __init__(self, **functions: Callable[[dict[str, Any]], Any]) -> None:
        self._functions = {name.replace("_", "-"): each for name, each in functions.items()}
        self.events: list[dict[str, Any]] = []

    async def invoke(self, association: Association, event: dict[str, Any]) -> Any:
        self.events.append(event)
        # As over the wire: what a function does to its event never reaches the edge.
        given = json.loads(json.dumps(event))
        return self._functions[association.event_type](given["Records"][0]["cf"])

    def called(self) -> list[str]:
        return [event["Records"][0]["cf"]["config"]["eventType"] for event in self.events]


class Streamed(OriginAnswer):
    """An answer whose body comes in pieces."""

    pieces: tuple[bytes, ...] = ()
    closed = False

    async def chunks(self) -> AsyncGenerator[bytes]:
        for piece in self.pieces:
            yield piece

    def close(self) -> None:
        self.closed = True


def answer(status: int = 200, *pieces: bytes, **headers: str) -> Streamed:
    """Make an origin's answer."""
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    made = Streamed(status, "", h.collect(pairs), None)
    made.pieces = pieces
    return made


class FakeOrigins:
    """Origins by id: a list of answers each, given in turn, the last one for ever."""

    def __init__(self, **answers: list[Callable[[], OriginAnswer] | EdgeError]) -> None:
        self._answers = answers
        self.requests: list[tuple[Origin, Request]] = []

    async def send(self, origin: Origin, request: Request, distribution_arn: str) -> OriginAnswer:
        assert distribution_arn == ARN
        self.requests.append((origin, request))
        queue = self._answers[origin.id]
        given = queue.pop(0) if len(queue) > 1 else queue[0]
        if isinstance(given, EdgeError):
            raise given
        return given()


def associated(*event_types: EventType, body: bool = False) -> dict[EventType, Association]:
    """Associate a function with each of the events."""
    return {each: Association(each, f"arn:{each}:1", include_body=body) for each in event_types}


def distribution(
    *behaviours: Behaviour, errors: tuple[ErrorResponse, ...] = (), enabled: bool = True
) -> Distribution:
    """Make a distribution of a bucket, another origin, and a group of both."""
    return Distribution(
        id="E1",
        arn=ARN,
        domain="d.cloudfront.net",
        enabled=enabled,
        default_root="index.html",
        behaviours=(*behaviours, Behaviour("*", "portal", KEPT)),
        origins={"portal": BUCKET, "other": OTHER},
        groups={"group": OriginGroup("group", ("portal", "other"), frozenset({500, 403}))},
        errors={each.status: each for each in errors},
    )


def edge(
    deployed: Distribution,
    functions: FakeFunctions | None = None,
    origins: FakeOrigins | None = None,
) -> Edge:
    """Make an edge that serves a distribution."""
    made = Edge(functions or FakeFunctions(), origins or FakeOrigins())
    made.deploy(deployed)
    return made


def request(
    uri: str = "/a", method: str = "GET", body: bytes = b"", query: str = "", **headers: str
) -> Request:
    """Make a viewer's request."""
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return Request(method, uri, query, h.collect([("Host", "x.example"), *pairs]), body)


async def ask(served_by: Edge, asked: Request) -> tuple[Served, bytes]:
    """Send a request through an edge; gives what it served, and the whole body."""
    served = await served_by.serve(asked, VIEWER, "id")
    if served.stream is None:
        return served, served.response.body or b""
    return served, b"".join([chunk async for chunk in served.stream])
