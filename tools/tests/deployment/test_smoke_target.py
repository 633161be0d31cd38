"""`make smoke` finds the system of an environment, or says what to deploy first."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from aws_emulator.errors import CommandError
from tools.deployment.environments import read_environment
from tools.deployment.preflight.account import Account
from tools.deployment.smoke.target import target_of

HOME = read_environment("default")


def account_with(*stacks: dict[str, Any]) -> Account:
    class CloudFormation:
        def describe_stacks(self, **_: str) -> dict[str, Any]:
            if not stacks:
                error = {"Error": {"Message": "Stack with id x does not exist"}}
                raise ClientError(error, "DescribeStacks")  # type: ignore[arg-type]
            return {"Stacks": list(stacks)}

    return Account(HOME.region, lambda _service, _region: CloudFormation())


@pytest.mark.parametrize(
    ("account", "problem"),
    [
        (account_with(), "no stack meridian-dev-us-east-1"),
        (account_with({"StackStatus": "ROLLBACK_COMPLETE"}), "ROLLBACK_COMPLETE"),
    ],
)
def test_stage_that_is_not_deployed_is_one_message_with_the_next_step(
    account: Account, problem: str
) -> None:
    with pytest.raises(CommandError, match=f"{problem}.*make deploy PLACE=default"):
        target_of(HOME, account)
