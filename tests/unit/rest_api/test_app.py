"""The ASGI application: which API a request is for, and how much it may bring."""

import asyncio
import json
import uuid
from typing import Any

import pytest

from aws_emulator.errors import CommandError
from aws_emulator.rest_api.app import MAX_BODY, App
from aws_emulator.rest_api.errors import DefinitionError
from aws_emulator.rest_api.model import Answer
from aws_emulator.rest_api.pipeline import Stage
from tests.unit.rest_api import fakes

HOST = "abc123.execute-api.us-east-1.amazonaws.com"


class FakeReader:
    """One API in the home region, with one stage."""

    def __init__(self, failing: bool = False) -> None:
        self.failing = failing

    def apis(self, region: str) -> list[str]:
        return ["abc123"] if region == "us-east-1" else []

    def stage(self, region: str, api: str, name: str) -> Stage | None:
        if self.failing:
            raise DefinitionError("GET /x has no integration.")
        known = (region, api, name) == ("us-east-1", "abc123", "api")
        return fakes.stage() if known else None


def send(method: str, target: str, *chunks: bytes, failing: bool = False, **headers: str) -> Answer:
    reader: Any = FakeReader(failing)
    app = App(reader, "us-east-1", fakes.anybody, fakes.Services())
    return asyncio.run(fakes.through(app, method, target, *chunks, **headers))


def test_it_says_that_it_is_ready() -> None:
    assert send("GET", "/_local/ready").status == 200


def test_an_api_is_known_by_its_host() -> None:
    assert send("GET", "/api/profile", host=HOST, authorization="t").status == 404
    assert send("GET", "/api/profile", host=HOST).status == 401


def test_at_its_own_address_the_api_of_the_home_region_answers() -> None:
    assert send("OPTIONS", "/api/profile", host="127.0.0.1:9000").status == 204


@pytest.mark.parametrize(
    ("target", "host"),
    [
        ("/api/profile", "school.example"),
        ("/api/profile", "localhost:8080"),
        ("/api/profile", "other.execute-api.us-east-1.amazonaws.com"),
        ("/api/profile", "abc123.execute-api.eu-west-2.amazonaws.com"),
        ("/prod/profile", HOST),
        ("/", HOST),
    ],
)
def test_to_anybody_else_it_is_forbidden(target: str, host: str) -> None:
    answer = send("GET", target, host=host, authorization="t")
    assert (answer.status, json.loads(answer.body)) == (403, {"message": "Forbidden"})


@pytest.mark.parametrize(("size", "status"), [(MAX_BODY, 400), (MAX_BODY + 1, 413)])
def test_a_body_has_ten_megabytes_at_most(size: int, status: int) -> None:
    half = size // 2
    chunks = (b"x" * half, b"x" * (size - half))
    answer = send("POST", "/api/feedback", *chunks, host=HOST, authorization="t")
    assert answer.status == status
    problem = json.loads(answer.body)
    assert problem["status"] == status
    assert problem["requestId"] == str(uuid.UUID(problem["requestId"]))


def test_a_definition_that_cannot_be_served_is_said_so() -> None:
    answer = send("GET", "/api/profile", host=HOST, failing=True)
    assert (answer.status, json.loads(answer.body)["message"]) == (
        500,
        "GET /x has no integration.",
    )


def test_the_command_line() -> None:
    from aws_emulator.rest_api.settings import parse

    settings = parse(["--endpoint", "http://127.0.0.1:4566/", "--port", "0"])
    assert (settings.endpoint, settings.region) == ("http://127.0.0.1:4566", "us-east-1")
    for wrong in (["--endpoint", "https://aws.amazon.com", "--port", "1"],
                  ["--endpoint", "http://127.0.0.1:1", "--port", "65536"]):  # fmt: skip
        with pytest.raises(CommandError, match="wants"):
            parse(wrong)
