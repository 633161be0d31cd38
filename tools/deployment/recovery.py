"""Prepare an environment for a new deployment.

List what failed and deleted stacks left behind. Delete a stack whose creation failed and the
leftovers without data, and adopt those with data, as `make deploy` does before it deploys.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

from botocore.exceptions import ClientError, WaiterError

from aws_emulator.errors import CommandError
from tools.cli import reason_of
from tools.deployment import adoption, leftovers
from tools.deployment.environments import Environment
from tools.deployment.fixed_names import TakenName, describe_taken_name, is_selected, taken_names
from tools.deployment.leftovers import ExistingResource
from tools.deployment.preflight.account import Account
from tools.deployment.preflight.checks import NEVER_COMPLETE
from tools.deployment.retained_resources import Clients, DataError, RetainedResources
from tools.deployment.stacks import POLL_S, UNKNOWN_OWNER, Stacks
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
    # The data of a stack that a parameter has turned off stay, and nothing needs their names.
    expected = [it for it in _expected(environment, account) if is_selected(environment, it)]
    cloudformation = clients("cloudformation", environment.region)
    stacks, name = Stacks(cloudformation), environment.stack_name
    of_root = set(stacks.existing(name, kept_stacks()))
    present = [
        ExistingResource(
            it,
            identifier,
            resources.content(it, identifier),
            _other_owner(stacks.owner(identifier), name, of_root),
            resources.replicas(it),
        )
        for it in leftovers.without_owner(expected, stacks.owned(name))
        for identifier in resources.find(it)
    ]
    status = stacks.status(name)
    is_new = status is None or status in NEVER_COMPLETE | {"REVIEW_IN_PROGRESS"}
    return leftovers.with_obstacles(
        present,
        is_new=is_new or adoption.begins_adoption(cloudformation, name),
    )


def _other_owner(owner: str, root: str, nested: Collection[str]) -> str:
    """Return the owner of a resource, or '' for a stack that `recover` deletes first."""
    if not owner or owner in {root, *nested} or owner.startswith(f"{root}-"):
        return ""
    return owner if owner == UNKNOWN_OWNER else f"the stack {owner}"


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
        CommandError: A leftover can be neither adopted nor removed, or AWS refuses to delete one.
    """
    if refusal := leftovers.refusal(present):
        raise CommandError(refusal)
    resources = RetainedResources(clients)
    for leftover in leftovers.removable(present):
        try:
            resources.delete(leftover)
        except DataError as error:
            refused = replace(leftover, content=str(error), obstacle="only a replica holds data")
            refusal = leftovers.refusal([refused])
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
    *,
    adopts: bool = True,
) -> None:
    """Make the environment deployable: delete a failed stack, remove and adopt leftovers.

    `present` are the leftovers that preflight found; None to look for them.

    Raises:
        ClientError: A call failed.
        CommandError: The stack or a leftover can't be deleted, or a leftover can't be adopted.
    """
    recovery = recover(environment, clients, account, present=present)
    if recovery.deleted_status:
        print(f"Deleted the stack {environment.stack_name}, whose creation had failed.")
    remove(recovery.leftovers, clients)
    if adopts:
        for leftover in adoption.adopt(environment, clients, account, recovery.leftovers):
            print(f"Adopted {leftovers.describe(leftover)}")


def leftovers_command(environment: Environment, *, removes: bool) -> int:
    """List leftovers, or remove those without data; return 1 if a listed one can't be adopted.

    Raises:
        ClientError: A call failed.
        CommandError: The stack or a leftover can't be deleted, or a leftover can't be adopted.
    """
    reader = Account(environment.region)
    clients, account = reader.client, reader.caller().account
    if removes:
        prepare(environment, clients, account, adopts=False)
        return 0
    present = find_leftovers(environment, clients, account)
    for leftover in present:
        print(leftovers.describe(leftover))
    names = find_taken_names(environment, clients, account)
    for taken in names:
        print(f"{describe_taken_name(taken)}. Delete: {taken.deletion}")
    print(f"{len(present) + len(names)} resources of the environment have no stack.")
    return 1 if leftovers.refused(present) else 0
