"""The environments in samconfig.toml, and the defaults of template.yaml."""

from pathlib import Path

import pytest

from aws_emulator.errors import CommandError
from tools.deployment.environments import environments_of_stage, read_environment
from tools.stack import HOME_REGION, stack_name


@pytest.mark.parametrize("name", ["default", "staging", "london", "mumbai"])
def test_environment_names_its_stack_after_stage_and_region(name: str) -> None:
    environment = read_environment(name)
    assert environment.stack_name == stack_name(environment.stage, environment.region)
    assert (
        environment.is_home
        is (environment.region == HOME_REGION)
        is (name in ("default", "staging"))
    )


def test_unknown_environment_is_rejected_with_the_known_ones() -> None:
    message = r"no environment 'paris'\. Use one of: default, staging, london"
    with pytest.raises(CommandError, match=message):
        read_environment("paris")


def test_environment_without_a_stage_is_rejected(tmp_path: Path) -> None:
    config = tmp_path / "samconfig.toml"
    config.write_text(
        '[paris.deploy.parameters]\nstack_name="x"\nregion="eu-west-3"\n'
        'parameter_overrides=["Architecture=arm64"]\n'
    )
    with pytest.raises(CommandError, match=r"'paris' of samconfig\.toml has no Stage"):
        read_environment("paris", config)


def test_parameter_prefers_the_override_over_the_default() -> None:
    environment = read_environment("default")
    assert environment.parameter("Stage") == "dev"
    assert environment.parameter("LogRetentionDays") == "30"
    assert environment.parameter("NoSuchParameter") == ""


def test_stage_has_its_environments_in_the_order_of_the_file() -> None:
    assert [it.name for it in environments_of_stage("dev")] == ["default", "london", "mumbai"]
    assert environments_of_stage("none") == []
