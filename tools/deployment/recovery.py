"""Prepare an environment for a new deployment.

List what failed and deleted stacks left behind. Delete a stack whose creation failed, and the
leftovers without data, as `make deploy` does before it deploys.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

from botocore.exceptions import ClientError, WaiterError

from aws_emulator.errors import CommandError
from tools.cli import reason_of
from tools.deployment import leftovers
from tools.deployment.environments import Environment
from tools.deployment.fixed_names import TakenName, describe_taken_name, taken_names
from tools.deployment.leftovers import ExistingResource
from tools.deployment.preflight.account import Account
from tools.deployment.preflight.checks import NEVER_COMPLETE
from tools.deployment.retained_resources import Clients, DataError, RetainedResources
from tools.deployment.stacks import POLL_S, Stacks
from tools.deployment.templates import NamedResource, kept_stacks, named_resources


@dataclass(frozen=True)
class Recovery:
    """Hold the result of a recovery. `deleted_status` is the status of the deleted stack."""

    deleted_status: str | None
    leftovers: list[ExistingResource]


def recover(
    environment: Environment,
    clients: Clients,
    account: str,
    *,
    poll_s: float = POLL_S,
    nested_stacks: Collection[str] | None = None,
    present: list[ExistingResource] | None = None,
) -> Recovery:
    """Delete the environment's stack if its creation failed, and find leftovers.

    `sam delete` keeps nested stacks whose DeletionPolicy says so; they are deleted, too.

    Args:
        environment: The environment of the stack.
        clients: Makes a client for a service and a Region.
        account: The account's ID, which is part of bucket names.
        poll_s: The time between two reads of the stack's status during the deletion.
        nested_stacks: Logical IDs of the nested stacks that stay after the root's deletion; by
            default those of template.yaml.
        present: The leftovers that the caller found, which are still right if no stack is deleted;
            None to look for them.

    Raises:
        ClientError: A call failed.
        CommandError: The failed stack can't be deleted.
    """
    stacks = Stacks(clients("cloudformation", environment.region), poll_s)
    nested_stacks = kept_stacks() if nested_stacks is None else nested_stacks
    status = stacks.status(environment.stack_name)
    deleted = status if status in NEVER_COMPLETE else None
    kept_names: list[str] = []
    if deleted:
        stacks.delete_failed_creation(environment.stack_name)
    if deleted or status is None:
        # A nested stack that CloudFormation kept owns names that the next deployment needs.
        kept_names = stacks.existing(environment.stack_name, nested_stacks)
        for name in reversed(kept_names):
            stacks.delete(name)
    if present is None or deleted or kept_names:
        present = find_leftovers(environment, clients, account)
    return Recovery(deleted, present)


def find_leftovers(
    environment: Environment, clients: Clients, account: str
) -> list[ExistingResource]:
    """Return the resources with names of the environment's templates that no stack of it owns.

    Raises:
        ClientError: A call failed.
    """
    resources = RetainedResources(clients)
    expected = _expected(environment, account)
    owned = Stacks(clients("cloudformation", environment.region)).owned(environment.stack_name)
    return [
        ExistingResource(it, identifier, resources.content(it, identifier))
        for it in leftovers.without_owner(expected, owned)
        for identifier in resources.find(it)
    ]


def find_taken_names(environment: Environment, clients: Clients, account: str) -> list[TakenName]:
    """Return the other fixed names of the environment's templates that no stack of it owns.

    Raises:
        ClientError: A call failed.
    """
    owned = Stacks(clients("cloudformation", environment.region)).owned(environment.stack_name)
    return taken_names(environment, _expected(environment, account), owned, clients, account)


def _expected(environment: Environment, account: str) -> tuple[NamedResource, ...]:
    return named_resources(environment.stage, environment.region, account, environment.home_region)


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


def prepare(
    environment: Environment,
    clients: Clients,
    account: str,
    present: list[ExistingResource] | None = None,
) -> None:
    """Make the environment deployable: delete a failed stack and the leftovers without data.

    `present` are the leftovers that preflight found; None to look for them.

    Raises:
        ClientError: A call failed.
        CommandError: A leftover holds data, or the stack or a leftover can't be deleted.
    """
    recovery = recover(environment, clients, account, present=present)
    if recovery.deleted_status:
        print(f"Deleted the stack {environment.stack_name}, whose creation had failed.")
    remove(recovery.leftovers, clients)


def leftovers_command(environment: Environment, *, removes: bool) -> int:
    """List or remove the leftovers of an environment; return 1 if a listed one holds data.

    Raises:
        ClientError: A call failed.
        CommandError: A leftover holds data, or the stack or a leftover can't be deleted.
    """
    reader = Account(environment.region)
    clients, account = reader.client, reader.caller().account
    if removes:
        prepare(environment, clients, account)
        return 0
    present = find_leftovers(environment, clients, account)
    for leftover in present:
        print(leftovers.describe(leftover))
    names = find_taken_names(environment, clients, account)
    for taken in names:
        print(f"{describe_taken_name(taken)}. Delete: {taken.deletion}")
    print(f"{len(present) + len(names)} resources of the environment have no stack.")
    return 1 if leftovers.with_data(present) else 0
