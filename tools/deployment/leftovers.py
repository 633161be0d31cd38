"""Find resources that a failed or deleted stack left behind, and decide what happens to them. Pure.

A template retains data: `DeletionPolicy: RetainExceptOnCreate` deletes a resource only if the stack
operation that created it is rolled back. CloudFormation may keep resources of a nested stack that
was complete when its parent failed, and it can't delete a table or user pool that has deletion
protection. The next deployment then fails with "already exists". `recovery` looks for the resources
that `without_owner` returns. It removes those without data, and `adoption` imports the others.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tools.deployment.templates import NamedResource

#: The obstacle of a table that lacks a replica which another one has, and the remedy.
_LACKS_REPLICA: Final = "it has no replica in "
_ADD_REPLICA: Final = (
    "aws dynamodb update-table --table-name {name} --region {region} --replica-updates "
    "Create={{RegionName={replica}}}"
)
#: The obstacle of one of several resources of a name, such as user pools, and what to do first.
_SEVERAL: Final = "several of this name hold data"
_DELETE_TABLE: Final = (
    "aws dynamodb update-table --table-name {name} --no-deletion-protection-enabled --region "
    "{region} && aws dynamodb delete-table --table-name {name} --region {region}"
)
#: The global table without replicas; its replicas are those of an earlier version.
ACCOUNTS_TABLE: Final = "AccountsTable"
#: Type -> how an operator deletes a resource with its data.
_DELETIONS: Final = {
    "AWS::Cognito::UserPool": (
        "delete its domains, if it has any, then aws cognito-idp update-user-pool --user-pool-id "
        "{id} --deletion-protection INACTIVE --region {region} && aws cognito-idp "
        "delete-user-pool --user-pool-id {id} --region {region}"
    ),
    "AWS::DynamoDB::GlobalTable": f"delete its replicas, then {_DELETE_TABLE}",
    "AWS::DynamoDB::Table": _DELETE_TABLE,
    "AWS::Kinesis::Stream": "aws kinesis delete-stream --stream-name {name} --region {region}",
    "AWS::S3::Bucket": (
        "Empty in the S3 console, which deletes all versions, then aws s3api delete-bucket "
        "--bucket {name} --region {region}"
    ),
    "AWS::SQS::Queue": "aws sqs delete-queue --queue-url {id} --region {region}",
}


@dataclass(frozen=True)
class ExistingResource:
    """A resource in the account that has the name of a resource in the templates."""

    resource: NamedResource
    #: The physical ID in CloudFormation: a name, a queue's URL or a user pool's ID.
    physical_id: str
    #: What it contains, as in "items"; empty if it contains nothing.
    content: str
    #: Another stack that has it, as in "the stack other"; empty for none.
    owner: str = ""
    #: The further Regions of a global table, for the accounts table those of an earlier version.
    replicas: tuple[str, ...] = ()
    #: Why it can be neither adopted nor removed; empty if it can.
    obstacle: str = ""


def without_owner(
    expected: Iterable[NamedResource], owned: Collection[tuple[str, str]]
) -> list[NamedResource]:
    """Return the retained resources that no stack has; `owned` has types and logical IDs."""
    return [it for it in expected if it.retained and (it.type, it.logical_id) not in owned]


def with_obstacles(
    leftovers: Sequence[ExistingResource], *, is_new: bool
) -> list[ExistingResource]:
    """Return the leftovers with the reason why CloudFormation can't import one.

    Args:
        leftovers: The leftovers of one environment.
        is_new: Whether the environment has no stack yet.
    """
    full = [it for it in leftovers if it.content]
    names = [(it.resource.type, it.resource.name) for it in full]
    replicas = {region for it in full if is_replicated(it) for region in it.replicas}

    def obstacle(leftover: ExistingResource) -> str:
        resource = leftover.resource
        if leftover.owner:
            return f"it belongs to {leftover.owner}"
        if not leftover.content:
            return ""
        if not is_new:
            return "the environment has a stack already, and CloudFormation imports into new ones"
        if names.count((resource.type, resource.name)) > 1:
            return _SEVERAL
        missing = sorted(replicas.difference(leftover.replicas)) if is_replicated(leftover) else []
        return f"{_LACKS_REPLICA}{', '.join(missing)}" if missing else ""

    return [replace(it, obstacle=obstacle(it)) for it in leftovers]


def is_replicated(leftover: ExistingResource) -> bool:
    """Return whether a resource is a table with replicas in the further Regions of its stage."""
    resource = leftover.resource
    return resource.type == "AWS::DynamoDB::GlobalTable" and resource.logical_id != ACCOUNTS_TABLE


def removable(leftovers: Iterable[ExistingResource]) -> list[ExistingResource]:
    """Return the resources without data, which a deployment removes and creates again."""
    return [it for it in leftovers if not it.content and not it.obstacle]


def adoptable(leftovers: Iterable[ExistingResource]) -> list[ExistingResource]:
    """Return the resources with data, which a deployment imports into the new stack."""
    return [it for it in leftovers if it.content and not it.obstacle]


def refused(leftovers: Iterable[ExistingResource]) -> list[ExistingResource]:
    """Return the resources that only an operator may remove."""
    return [it for it in leftovers if it.obstacle]


def describe(leftover: ExistingResource) -> str:
    """Return one line: type, name, Region, content and the template that has the name."""
    resource = leftover.resource
    content = leftover.content or "empty"
    kind = resource.type.rpartition("::")[2]
    line = f"{kind} {resource.name} in {resource.region}: {content} ({resource.source})"
    return f"{line}, can't be adopted because {leftover.obstacle}" if leftover.obstacle else line


def deletion(leftover: ExistingResource) -> str:
    """Return how an operator deletes a resource with its data, with the names filled in."""
    resource = leftover.resource
    return _DELETIONS[resource.type].format(
        name=resource.name, region=resource.region, id=leftover.physical_id
    )


def remedy(leftover: ExistingResource) -> str:
    """Return what an operator does with a resource that can't be adopted, as a sentence."""
    if leftover.obstacle.startswith(_LACKS_REPLICA):
        first = leftover.obstacle.removeprefix(_LACKS_REPLICA).partition(",")[0]
        resource = leftover.resource
        command = _ADD_REPLICA.format(name=resource.name, region=resource.region, replica=first)
        return f"Add the replica, which keeps all items, and wait until it is active: {command}"
    if leftover.obstacle == _SEVERAL:
        return f"Keep the one in use, and delete the other one: {deletion(leftover)}"
    return f"Delete: {deletion(leftover)}"


def refusal(leftovers: Iterable[ExistingResource]) -> str:
    """Return the message for leftovers that stop a deployment, or '' if there are none."""
    lines = [f"  {describe(it)}. {remedy(it)}" for it in refused(leftovers)]
    if not lines:
        return ""
    return "\n".join(
        [
            "These resources have names that the deployment needs, and it can't adopt them:",
            *lines,
            "Deploy with another Stage, or follow the remedies; back up what you delete:",
            "docs/deploying.md#repeat-a-failed-deployment",
        ]
    )
