"""`python -m tools.deployment.recovery ENVIRONMENT`: prepare an environment for a new deployment.

List what failed and deleted stacks left behind. With --remove, delete a stack whose creation failed
and the leftovers without data, as `make deploy` does before it deploys.
"""

import argparse
from dataclasses import dataclass, replace
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError, WaiterError

from aws_emulator.errors import CommandError
from tools.cli import exit_code, reason_of
from tools.deployment import leftovers
from tools.deployment.environments import Environment, read_environment
from tools.deployment.leftovers import ExistingResource
from tools.deployment.preflight.account import Account
from tools.deployment.preflight.checks import NEVER_COMPLETE
from tools.deployment.retained_resources import Clients, DataError, RetainedResources
from tools.deployment.templates import named_resources

#: CloudFormation deletes a distribution in minutes. The waiter gives up after an hour.
_DELETED_WITHIN_S: Final = 3600
_POLL_S: Final = 2.0
#: Statuses of resources that a stack no longer has.
_GONE: Final = frozenset({"DELETE_COMPLETE", "DELETE_SKIPPED"})


@dataclass(frozen=True)
class Recovery:
    """Hold the result of a recovery. `deleted_status` is the status of the deleted stack."""

    deleted_status: str | None
    leftovers: list[ExistingResource]


def recover(
    environment: Environment, clients: Clients, account: str, *, poll_s: float = _POLL_S
) -> Recovery:
    """Delete the environment's stack if its creation failed, and find leftovers.

    Args:
        environment: The environment of the stack.
        clients: Makes a client for a service and a Region.
        account: The account's ID, which is part of bucket names.
        poll_s: The time between two reads of the stack's status during the deletion.

    Raises:
        ClientError: A call failed.
        CommandError: The failed stack can't be deleted.
    """
    cloudformation = clients("cloudformation", environment.region)
    status = stack_status(cloudformation, environment.stack_name)
    deleted = status if status in NEVER_COMPLETE else None
    if deleted:
        delete_stack(cloudformation, environment.stack_name, poll_s)
    return Recovery(deleted, find_leftovers(environment, clients, account))


def find_leftovers(
    environment: Environment, clients: Clients, account: str
) -> list[ExistingResource]:
    """Return the resources with names of the environment's templates that no stack of it owns.

    Raises:
        ClientError: A call failed.
    """
    resources = RetainedResources(clients)
    expected = named_resources(environment.stage, environment.region, account)
    owned = owned_resources(clients("cloudformation", environment.region), environment.stack_name)
    return [
        ExistingResource(it, identifier, resources.content(it, identifier))
        for it in leftovers.without_owner(expected, owned)
        for identifier in resources.find(it)
    ]


def owned_resources(cloudformation: Any, stack_name: str) -> set[tuple[str, str]]:
    """Return the types and logical IDs of the resources of a stack and its nested stacks.

    Raises:
        ClientError: A call failed.
    """
    try:
        pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack_name)
        resources = [it for page in pages for it in page["StackResourceSummaries"]]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        return set()
    owned: set[tuple[str, str]] = set()
    for resource in resources:
        if resource["ResourceStatus"] in _GONE or not resource.get("PhysicalResourceId"):
            continue
        owned.add((resource["ResourceType"], resource["LogicalResourceId"]))
        if resource["ResourceType"] == "AWS::CloudFormation::Stack":
            owned |= owned_resources(cloudformation, resource["PhysicalResourceId"])
    return owned


def remove(present: list[ExistingResource], clients: Clients) -> None:
    """Delete leftovers without data.

    Raises:
        CommandError: A leftover holds data, or AWS refuses to delete one.
    """
    if refusal := leftovers.refusal(present):
        raise CommandError(refusal)
    resources = RetainedResources(clients)
    for leftover in leftovers.removable(present):
        try:
            resources.delete(leftover)
        except DataError as error:
            refusal = leftovers.refusal([replace(leftover, content=str(error))])
            raise CommandError(refusal) from error
        except (ClientError, WaiterError) as error:
            raise CommandError(
                f"Can't delete {leftovers.describe(leftover)}: {reason_of(error)}. Repeat the "
                "command later, or deploy with another Stage."
            ) from error
        print(f"Deleted {leftovers.describe(leftover)}")


def prepare(environment: Environment, clients: Clients, account: str) -> None:
    """Make the environment deployable: delete a failed stack and the leftovers without data.

    Raises:
        ClientError: A call failed.
        CommandError: A leftover holds data, or the stack or a leftover can't be deleted.
    """
    recovery = recover(environment, clients, account)
    if recovery.deleted_status:
        print(f"Deleted the stack {environment.stack_name}, whose creation had failed.")
    remove(recovery.leftovers, clients)


def stack_status(cloudformation: Any, name: str) -> str | None:
    """Return a stack's status, or None if it does not exist.

    Raises:
        ClientError: The call failed.
    """
    try:
        (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        return None
    return str(stack["StackStatus"])


def delete_stack(cloudformation: Any, name: str, poll_s: float = _POLL_S) -> None:
    """Delete a stack. Resources that can't be deleted stay, and the stack doesn't.

    Raises:
        CommandError: The stack still exists.
    """
    waiter = cloudformation.get_waiter("stack_delete_complete")
    waiting = {"Delay": poll_s, "MaxAttempts": round(_DELETED_WITHIN_S / poll_s)}
    cloudformation.delete_stack(StackName=name)
    try:
        waiter.wait(StackName=name, WaiterConfig=waiting)
    except WaiterError:
        resources = cloudformation.describe_stack_resources(StackName=name)["StackResources"]
    else:
        return
    failed = [it for it in resources if it["ResourceStatus"] == "DELETE_FAILED"]
    retained = [it["LogicalResourceId"] for it in failed]
    cloudformation.delete_stack(StackName=name, RetainResources=retained)
    try:
        waiter.wait(StackName=name, WaiterConfig=waiting)
    except WaiterError as error:
        raise CommandError(
            f"Can't delete the stack {name}, whose creation failed: {reason_of(error)}. Delete it "
            "in the CloudFormation console, then repeat the command."
        ) from error


def main() -> int:
    """List or remove the leftovers of an environment and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.deployment.recovery")
    parser.add_argument(
        "environment", help="an environment of samconfig.toml: default, london or mumbai"
    )
    parser.add_argument("--remove", action="store_true", help="delete leftovers without data")
    arguments = parser.parse_args()

    def command() -> int:
        try:
            return _command(arguments.environment, removes=arguments.remove)
        except (ClientError, BotoCoreError) as error:
            raise CommandError(
                f"Can't look up {arguments.environment}: {reason_of(error)}. Check your "
                "credentials and their permissions."
            ) from error

    return exit_code(command)


def _command(name: str, *, removes: bool) -> int:
    environment = read_environment(name)
    reader = Account(environment.region)
    clients, account = reader.client, reader.caller().account
    if removes:
        prepare(environment, clients, account)
        return 0
    present = find_leftovers(environment, clients, account)
    for leftover in present:
        print(leftovers.describe(leftover))
    print(f"{len(present)} resources of the environment have no stack.")
    return 1 if leftovers.with_data(present) else 0


if __name__ == "__main__":
    raise SystemExit(main())
