"""The places in samconfig.toml, and the defaults of template.yaml."""

from pathlib import Path

import pytest

from aws_emulator.errors import CommandError
from tools.deployment.places import places_of_stage, read_place
from tools.stack import HOME_REGION, stack_name


@pytest.mark.parametrize("name", ["default", "staging", "london", "mumbai"])
def test_place_names_its_stack_after_stage_and_region(name: str) -> None:
    place = read_place(name)
    assert place.stack_name == stack_name(place.stage, place.region)
    assert place.is_home is (place.region == HOME_REGION) is (name in ("default", "staging"))


def test_unknown_place_is_rejected_with_the_known_ones() -> None:
    message = r"no environment 'paris'\. Use one of: default, staging, london"
    with pytest.raises(CommandError, match=message):
        read_place("paris")


def test_place_without_a_stage_is_rejected(tmp_path: Path) -> None:
    config = tmp_path / "samconfig.toml"
    config.write_text(
        '[paris.deploy.parameters]\nstack_name="x"\nregion="eu-west-3"\n'
        'parameter_overrides=["Architecture=arm64"]\n'
    )
    with pytest.raises(CommandError, match=r"'paris' of samconfig\.toml has no Stage"):
        read_place("paris", config)


def test_parameter_prefers_the_override_over_the_default() -> None:
    place = read_place("default")
    assert place.parameter("Stage") == "dev"
    assert place.parameter("LogRetentionDays") == "30"
    assert place.parameter("NoSuchParameter") == ""


def test_stage_has_its_places_in_the_order_of_the_file() -> None:
    assert [it.name for it in places_of_stage("dev")] == ["default", "london", "mumbai"]
    assert places_of_stage("none") == []
