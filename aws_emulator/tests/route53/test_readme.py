"""Tests that README.md agrees with the command and the numbers of Regions."""

import re
from pathlib import Path
from typing import Final

import pytest

from aws_emulator import route53
from aws_emulator.errors import CommandError
from aws_emulator.route53 import settings
from aws_emulator.route53.locations import (
    CITIES,
    REGIONS,
    latency_ms,
    network_of,
    region_at,
    service_address,
)

README: Final = (Path(route53.__file__).parent / "README.md").read_text()
OPTIONS: Final = ["--endpoint", "http://127.0.0.1:4566", "--port", "5353", "--state", "x"]


def test_options_table_equals_help(capsys: pytest.CaptureFixture[str]) -> None:
    documented = re.findall(r"^\| `(--[a-z-]+)` \|", README, re.MULTILINE)
    with pytest.raises(SystemExit):
        settings.parse(["--help"])
    assert documented == re.findall(r"^  (--[a-z-]+)", capsys.readouterr().out, re.MULTILINE)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--endpoint", "https://route53.amazonaws.com"),
        ("--port", "0"),
        ("--https-port", "70000"),
        ("--location", "atlantis"),
        ("--speed", "0"),
    ],
)
def test_invalid_option_is_refused(option: str, value: str) -> None:
    with pytest.raises(CommandError, match=option):
        settings.parse([*OPTIONS, option, value])


def test_regions_and_cities_have_networks_and_addresses_of_their_own() -> None:
    networks = [network_of(it) for it in (*REGIONS, *CITIES)]
    assert len(set(networks)) == len(networks)
    assert [region_at(service_address(it)) for it in REGIONS] == list(REGIONS)
    assert str(network_of("eu-west-2")) in README
    assert region_at("127.0.0.1") is None
    assert region_at("127.0.101.1") is None


def test_unknown_region_is_named() -> None:
    with pytest.raises(CommandError, match="atlantis-1"):
        service_address("atlantis-1")


@pytest.mark.parametrize(
    ("location", "region", "expected"),
    [("us-east-1", "eu-west-2", 94), ("us-east-1", "ap-south-1", 198), ("delhi", "delhi", 5)],
)
def test_latency_follows_the_great_circle(location: str, region: str, expected: int) -> None:
    if region in REGIONS:
        assert latency_ms(location, region) == pytest.approx(expected, abs=1)
        assert latency_ms(location, region) == pytest.approx(latency_ms(region, location))
    else:
        assert latency_ms(location, region) == expected
