"""The environments of samconfig.toml that `make deploy` uses."""

import pytest

from aws_emulator.errors import CommandError
from tools.deployment.deploy import deploy_parameters, stage_of
from tools.stack import HOME_REGION, stack_name


@pytest.mark.parametrize("config_env", ["default", "london", "mumbai"])
def test_environment_names_its_stack_after_stage_and_region(config_env: str) -> None:
    parameters = deploy_parameters(config_env)
    expected = stack_name(stage_of(parameters), parameters["region"])
    assert parameters["stack_name"] == expected
    assert (parameters["region"] == HOME_REGION) is (config_env == "default")


def test_unknown_environment_is_rejected_with_the_known_ones() -> None:
    with pytest.raises(CommandError, match=r"no environment 'paris'\. Use one of: default, london"):
        deploy_parameters("paris")


def test_environment_without_a_stage_is_rejected() -> None:
    with pytest.raises(CommandError, match="have no Stage"):
        stage_of({"parameter_overrides": ["Architecture=arm64"]})
