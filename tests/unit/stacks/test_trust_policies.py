"""A trust policy has a condition only if the service documents that it sends the key."""

from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.support.paths import ROOT
from tests.unit.stacks.transformed import all_stacks, transformed

#: Services whose pages show aws:SourceAccount in the trust policy of a role: Step Functions,
#: EventBridge and EventBridge Scheduler, "Cross-service confused deputy prevention"; Amazon ECS,
#: "Amazon ECS task IAM role"; "Job runtime roles for Amazon EMR Serverless".
DOCUMENTED: Final = {
    *("ecs-tasks.amazonaws.com", "emr-serverless.amazonaws.com", "events.amazonaws.com"),
    *("scheduler.amazonaws.com", "states.amazonaws.com"),
}
TEMPLATES: Final = sorted(
    {path for path, _ in all_stacks()} | {*(ROOT / "pipeline").glob("*.yaml")}
)


def trusts() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each statement with which a role trusts services, by the role's template and name."""
    for path in TEMPLATES:
        for name, resource in transformed(path)["Resources"].items():
            if resource["Type"] == "AWS::IAM::Role":
                statements = resource["Properties"]["AssumeRolePolicyDocument"]["Statement"]
                for statement in statements:
                    if "Service" in statement["Principal"]:
                        yield f"{path.name}: {name}", statement


@pytest.mark.parametrize(("role", "statement"), list(trusts()))
def test_service_that_assumes_a_role_sends_the_keys_of_its_condition(
    role: str, statement: dict[str, Any]
) -> None:
    services = statement["Principal"]["Service"]
    services = {services} if isinstance(services, str) else set(services)
    assert ("Condition" in statement) == (services <= DOCUMENTED), role
