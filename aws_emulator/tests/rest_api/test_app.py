"""Tests of the ASGI application: host names, stages and body size."""

import asyncio
import json
import uuid
from typing import Any

import pytest

from aws_emulator.errors import CommandError
from aws_emulator.rest_api.app import MAX_BODY_BYTES, App
from aws_emulator.rest_api.errors import DefinitionError
from aws_emulator.rest_api.model import Response
from aws_emulator.rest_api.pipeline import Stage
from aws_emulator.route53.locations import service_address
from aws_emulator.tests.rest_api import fakes

HOST = "abc123.execute-api.us-east-1.amazonaws.com"


class FakeReader:
    """Serves one stage of one API in us-east-1."""

    def __init__(self, failing: bool = False, disabled: bool = False) -> None:
        self.failing = failing
        self.disabled = disabled

    def apis(self, region: str) -> list[str]:
        return ["abc123"] if region == "us-east-1" else []

    def mapping(self, region: str, domain: str, base_path: str) -> tuple[str, str] | None:
        known = (region, domain, base_path) == ("us-east-1", "api.example.com", "notes-v1")
        return ("abc123", "v1") if known else None

    def stage(self, region: str, api: str, name: str) -> Stage | None:
        if self.failing:
            raise DefinitionError("GET /x has no integration.")
        known = (region, api, name) == ("us-east-1", "abc123", "v1")
        stage = fakes.stage()
        stage.is_endpoint_disabled = self.disabled
        return stage if known else None


def send(
    method: str, target: str, *chunks: bytes, failing: bool = False, **headers: str
) -> Response:
    reader: Any = FakeReader(failing)
    app = App(reader, "us-east-1", fakes.accept_any_token, fakes.FakeServices())
    server = ("127.0.0.1", 9000)
    return asyncio.run(fakes.send_asgi(app, method, target, *chunks, server=server, **headers))


def test_ready_path_returns_200() -> None:
    assert send("GET", "/_local/ready").status == 200


def test_host_selects_api() -> None:
    assert send("GET", "/v1/notes?since=1", host=HOST, authorization="t").status == 200
    assert send("GET", "/v1/notes", host=HOST).status == 401


def test_own_address_serves_api_of_home_region() -> None:
    assert send("OPTIONS", "/v1/notes", host="127.0.0.1:9000").status == 204


@pytest.mark.parametrize(
    ("target", "host"),
    [
        ("/v1/notes", "www.example.com"),
        ("/v1/notes", "localhost:8080"),
        ("/v1/notes", "other.execute-api.us-east-1.amazonaws.com"),
        ("/v1/notes", "abc123.execute-api.eu-west-2.amazonaws.com"),
        ("/prod/notes", HOST),
        ("/", HOST),
    ],
)
def test_unknown_host_or_stage_is_forbidden(target: str, host: str) -> None:
    response = send("GET", target, host=host, authorization="t")
    assert (response.status, json.loads(response.body)) == (403, {"message": "Forbidden"})


@pytest.mark.parametrize(
    ("region", "host", "path", "status"),
    [
        ("us-east-1", "api.example.com", "/notes-v1/notes", 204),
        ("us-east-1", "api.example.com", "/v1/notes", 403),
        ("us-east-1", "other.example.com", "/notes-v1/notes", 403),
        ("eu-west-2", "api.example.com", "/notes-v1/notes", 403),
    ],
)
def test_custom_domain_name_selects_api_by_region_and_base_path(
    region: str, host: str, path: str, status: int
) -> None:
    """Several Regions can have the same domain name; the address tells which one is asked."""
    app = App(FakeReader(), "us-east-1", fakes.accept_any_token, fakes.FakeServices())  # type: ignore[arg-type]
    server = (service_address(region), 9000)
    response = asyncio.run(fakes.send_asgi(app, "OPTIONS", path, server=server, host=host))
    assert response.status == status


@pytest.mark.parametrize(
    ("region", "host", "path", "status"),
    [
        ("us-east-1", "api.example.com", "/notes-v1/notes", 204),
        ("us-east-1", HOST, "/v1/notes", 403),
        ("", "127.0.0.1:9000", "/v1/notes", 403),
    ],
)
def test_disabled_endpoint_is_forbidden(region: str, host: str, path: str, status: int) -> None:
    """Custom domain names still serve the API."""
    reader: Any = FakeReader(disabled=True)
    app = App(reader, "us-east-1", fakes.accept_any_token, fakes.FakeServices())
    server = (service_address(region) if region else "127.0.0.1", 9000)
    response = asyncio.run(fakes.send_asgi(app, "OPTIONS", path, server=server, host=host))
    assert response.status == status
    if status == 403:
        assert json.loads(response.body) == {"message": "Forbidden"}


@pytest.mark.parametrize(("size", "status"), [(MAX_BODY_BYTES, 400), (MAX_BODY_BYTES + 1, 413)])
def test_body_over_10_mb_is_rejected(size: int, status: int) -> None:
    half = size // 2
    chunks = (b"x" * half, b"x" * (size - half))
    response = send("POST", "/v1/notes", *chunks, host=HOST, authorization="t")
    assert response.status == status
    request_id = json.loads(response.body)["requestId"]
    assert request_id == str(uuid.UUID(request_id))


def test_unsupported_definition_returns_500_with_message() -> None:
    response = send("GET", "/v1/notes", host=HOST, failing=True)
    assert (response.status, json.loads(response.body)["message"]) == (
        500,
        "GET /x has no integration.",
    )


def test_command_line_is_validated() -> None:
    from aws_emulator.rest_api.settings import parse

    settings = parse(["--endpoint", "http://127.0.0.1:4566/", "--port", "0"])
    assert (settings.endpoint, settings.region) == ("http://127.0.0.1:4566", "us-east-1")
    for wrong in (["--endpoint", "https://aws.amazon.com", "--port", "1"],
                  ["--endpoint", "http://127.0.0.1:1", "--port", "65536"]):  # fmt: skip
        with pytest.raises(CommandError, match="must be"):
            parse(wrong)
