"""Options of the local commands."""

import pytest

from aws_emulator.errors import CommandError
from tools.dev.options import DEFAULT_CLIENTS, MAX_CLIENTS, Options
from tools.dev.system import Ports


def test_options_without_variables_are_the_defaults() -> None:
    options = Options.from_environment({})
    assert options == Options(None, None, None, DEFAULT_CLIENTS, ("us-east-1",), None)
    assert options.ports() == Ports()
    assert options.ports(edge=8080, emulator=4566) == Ports(emulator=4566, edge=8080)


def test_options_are_read_from_all_variables() -> None:
    variables = {
        "LOG": "a.log",
        "PORT": "0",
        "EMULATOR_PORT": "65535",
        "CLIENTS": str(MAX_CLIENTS),
        "REGIONS": "us-east-1, eu-west-2",
        "SEED": "7",
    }
    options = Options.from_environment(variables)
    assert options == Options("a.log", 0, 65535, MAX_CLIENTS, ("us-east-1", "eu-west-2"), 7)
    assert options.ports(edge=8080, emulator=4566) == Ports(emulator=65535, edge=0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("CLIENTS", "many"), ("CLIENTS", "0"), ("CLIENTS", str(MAX_CLIENTS + 1))),
        *(("PORT", "65536"), ("PORT", "-1"), ("SEED", "x")),
    ],
)
def test_invalid_number_is_rejected_with_its_range(name: str, value: str) -> None:
    with pytest.raises(CommandError, match=f"{name} must be a number from .*, not '{value}'"):
        Options.from_environment({name: value})


@pytest.mark.parametrize(("value", "has_catalogue"), [("", True), ("1", True), ("0", False)])
def test_catalogue_is_on_by_default(value: str, has_catalogue: bool) -> None:
    assert Options.from_environment({"CATALOGUE": value}).catalogue is has_catalogue


def test_any_region_of_aws_is_accepted_once() -> None:
    options = Options.from_environment({"REGIONS": "eu-central-1,sa-east-1,eu-central-1"})
    assert options.regions == ("us-east-1", "eu-central-1", "sa-east-1")


def test_unknown_region_is_rejected() -> None:
    with pytest.raises(CommandError, match=r"REGIONS has london, which AWS doesn't have"):
        Options.from_environment({"REGIONS": "london"})


def test_more_further_regions_than_a_stage_has_are_rejected() -> None:
    further = ["eu-west-1", "eu-west-2", "eu-west-3", "eu-central-1"]
    home = ["us-east-1"]
    assert Options.from_environment({"REGIONS": ",".join(home + further)}).regions[1:] == (
        tuple(further)
    )
    with pytest.raises(CommandError, match="5 Regions besides the home"):
        Options.from_environment({"REGIONS": ",".join([*further, "sa-east-1"])})


def test_home_region_is_the_first_region() -> None:
    options = Options.from_environment({"HOME_REGION": "eu-west-2", "REGIONS": "ap-south-1"})
    assert options.regions == ("eu-west-2", "ap-south-1")


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"HOME_REGION": "eu-west-9"}, "HOME_REGION has eu-west-9, which AWS doesn't have"),
        (
            {"HOME_REGION": "eu-west-2", "REGIONS": "us-east-1"},
            "REGIONS contains us-east-1, which has only the edge if the home is eu-west-2",
        ),
    ],
)
def test_invalid_home_region_is_refused(environment: dict[str, str], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        Options.from_environment(environment)
