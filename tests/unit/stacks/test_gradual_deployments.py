"""A new version of a function that Step Functions invokes gets its invocations gradually."""

from typing import Any, Final

import pytest

from tests.unit.stacks.transformed import all_stacks, resolve, transformed

_ALIAS: Final = "AWS::Lambda::Alias"


def invoked() -> dict[str, tuple[Any, Any, dict[str, Any]]]:
    """Return template, the stacks around it and resource of what state machines invoke."""
    targets = {}
    around = dict(all_stacks())
    for path, parents in all_stacks():
        for resource in transformed(path)["Resources"].values():
            if resource["Type"] != "AWS::StepFunctions::StateMachine":
                continue
            for name, value in resource["Properties"]["DefinitionSubstitutions"].items():
                if name.endswith("Function"):
                    template, logical_id = resolve(path, value, parents)
                    target = transformed(template)["Resources"][logical_id]
                    targets[name] = (template, around[template], target)
    return targets


INVOKED: Final = invoked()


def test_state_machines_invoke_three_functions() -> None:
    assert INVOKED.keys() == {"ValidateFunction", "IdentityFunction", "ImportFunction"}


@pytest.mark.parametrize("name", INVOKED)
def test_state_machine_invokes_an_alias_that_code_deploy_shifts(name: str) -> None:
    path, parents, alias = INVOKED[name]
    assert alias["Type"] == _ALIAS
    update = alias["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]
    resources = transformed(path)["Resources"]
    group = resources[update["DeploymentGroupName"]["Ref"]]["Properties"]
    assert group["DeploymentStyle"]["DeploymentOption"] == "WITH_TRAFFIC_CONTROL"
    assert group["AutoRollbackConfiguration"] == {
        "Enabled": True,
        "Events": [
            "DEPLOYMENT_FAILURE",
            "DEPLOYMENT_STOP_ON_ALARM",
            "DEPLOYMENT_STOP_ON_REQUEST",
        ],
    }
    role, logical_id = resolve(path, group["ServiceRoleArn"], parents)
    statements = transformed(role)["Resources"][logical_id]["Properties"]["Policies"][0][
        "PolicyDocument"
    ]["Statement"]
    function = name.removesuffix("Function").lower()
    assert any(it["Fn::Sub"].endswith(f"-{function}*") for it in statements[0]["Resource"])


@pytest.mark.parametrize("name", INVOKED)
def test_errors_of_the_alias_end_the_shift(name: str) -> None:
    """The period is shorter than the first step of each configuration."""
    path, parents, alias = INVOKED[name]
    update = alias["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]
    group = transformed(path)["Resources"][update["DeploymentGroupName"]["Ref"]]["Properties"]
    assert group["AlarmConfiguration"]["Enabled"]
    ((alarm_name),) = [it["Name"] for it in group["AlarmConfiguration"]["Alarms"]]
    template, logical_id = resolve(path, alarm_name, parents)
    alarm = transformed(template)["Resources"][logical_id]["Properties"]
    dimensions = {it["Name"]: it["Value"]["Fn::Sub"] for it in alarm["Dimensions"]}
    function = f"meridian-${{Stage}}-{name.removesuffix('Function').lower()}"
    assert dimensions == {"FunctionName": function, "Resource": f"{function}:live"}
    assert alarm["Period"] * alarm["EvaluationPeriods"] <= 60
    assert alarm["TreatMissingData"] == "notBreaching"
