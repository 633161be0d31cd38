"""The parameters that `make deploy` passes to `sam deploy`."""

from dataclasses import replace
from typing import Any

import pytest

from tools.deployment.deploy import CONFIGURED, parameter_overrides, removed_parameters
from tools.deployment.environments import Environment, read_environment
from tools.deployment.preflight.account import Account

HOME: Environment = read_environment("default")


class CloudFormation:
    """CloudFormation with one stack, which has these parameters."""

    def __init__(self, parameters: dict[str, str]) -> None:
        self._parameters = parameters

    def __call__(self, _service: str, _region: str) -> "CloudFormation":
        return self

    def describe_stacks(self, **_: str) -> dict[str, Any]:
        parameters = [
            {"ParameterKey": key, "ParameterValue": value}
            for key, value in self._parameters.items()
        ]
        return {"Stacks": [{"StackStatus": "UPDATE_COMPLETE", "Parameters": parameters}]}


def reset(deployed: dict[str, str], configured: dict[str, str]) -> dict[str, str]:
    """Return the values that SAM reads of the arguments for removed parameters."""
    # SAM CLI takes seconds to import, in each process that collects this file.
    from samcli.cli.types import CfnParameterOverridesType

    environment = replace(HOME, overrides={"Stage": "dev", **configured})
    account = Account(HOME.region, CloudFormation(deployed))
    arguments = removed_parameters(environment, account, environment.overrides)
    values: dict[str, str] = CfnParameterOverridesType().convert(tuple(arguments), None, None)
    return values if arguments else {}


def test_parameter_that_was_taken_out_of_the_configuration_gets_its_default() -> None:
    deployed = {"Domain": "old.example", "HostedZoneId": "Z1", "MonthlyBudgetUsd": "10"}
    assert reset(deployed, {}) == {"Domain": "", "HostedZoneId": "", "MonthlyBudgetUsd": "0"}
    assert reset(deployed, deployed) == {}
    assert reset(deployed, deployed | {"Domain": ""}) == {"Domain": ""}


@pytest.mark.parametrize(
    "parameter", ["PermissionsBoundary", "Regions", "ReplicaRegions", "OriginKeys"]
)
def test_value_that_the_configuration_does_not_own_stays(parameter: str) -> None:
    assert reset({parameter: "2", "Stage": "dev"}, {}) == {}


def test_configured_parameters_have_a_default() -> None:
    assert HOME.defaults.keys() >= set(CONFIGURED)


def test_empty_parameter_has_no_argument() -> None:
    overrides = {"Stage": "prod", "ReplicaRegions": ""}
    assert parameter_overrides(overrides) == ["Stage=prod"]


def test_json_is_passed_with_escaped_quotation_marks() -> None:
    sources = '[{"id":"portal"}]'
    assert parameter_overrides({"CollectorSources": sources}) == [
        r'CollectorSources="[{\"id\":\"portal\"}]"'
    ]
