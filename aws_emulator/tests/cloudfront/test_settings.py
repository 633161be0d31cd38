"""Tests of the command line."""

from pathlib import Path

import pytest

from aws_emulator.cloudfront.settings import parse
from aws_emulator.errors import CommandError

NEEDED = ["--endpoint", "http://127.0.0.1:4566", "--port", "8080"]


def test_parse_accepts_required_options_only() -> None:
    settings = parse(NEEDED)
    assert settings.endpoint.address == ("127.0.0.1", 4566)
    assert settings.endpoint.netloc == "127.0.0.1:4566"
    assert settings.endpoint.region == "us-east-1"
    assert (settings.port, settings.distribution, settings.log) == (8080, None, None)
    assert settings.concurrency >= 32
    assert settings.api is None


def test_parse_accepts_all_options() -> None:
    settings = parse([*NEEDED, "--distribution", "E1", "--log", "x.log", "--concurrency", "1"])
    assert (settings.distribution, settings.log) == ("E1", Path("x.log"))
    assert settings.concurrency == 1
    assert parse([*NEEDED, "--api-url", "http://localhost:9000"]).api == ("localhost", 9000)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--endpoint", "https://aws.amazon.com", "--port", "1"],
        ["--endpoint", "http://example.com:80", "--port", "1"],
        ["--endpoint", "http://127.0.0.1", "--port", "1"],
        ["--endpoint", "http://127.0.0.1:x", "--port", "1"],
        ["--endpoint", "http://127.0.0.1:1", "--port", "65536"],
        ["--endpoint", "http://127.0.0.1:1", "--port", "-1"],
        [*NEEDED, "--concurrency", "0"],
        [*NEEDED, "--api-url", "https://api.example"],
    ],
)
def test_parse_rejects_invalid_value(arguments: list[str]) -> None:
    with pytest.raises(CommandError, match="must be"):
        parse(arguments)
