"""Find resources that a failed or deleted stack left behind, and decide what happens to them. Pure.

A template retains data: `DeletionPolicy: RetainExceptOnCreate` deletes a resource only if the stack
operation that created it is rolled back. CloudFormation may keep resources of a nested stack that
was complete when its parent failed, and it can't delete a table or user pool that has deletion
protection. The next deployment then fails with "already exists". `recovery` looks for the resources
that `without_owner` returns, and removes those without data.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from tools.deployment.templates import NamedResource

_DELETE_TABLE: Final = (
    "aws dynamodb update-table --table-name {name} --no-deletion-protection-enabled --region "
    "{region} && aws dynamodb delete-table --table-name {name} --region {region}"
)
#: Type -> how an operator deletes a resource with its data.
_DELETIONS: Final = {
    "AWS::Cognito::UserPool": (
        "aws cognito-idp update-user-pool --user-pool-id {id} --deletion-protection INACTIVE "
        "--region {region} && aws cognito-idp delete-user-pool --user-pool-id {id} "
        "--region {region}"
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


def without_owner(
    expected: Iterable[NamedResource], owned: Collection[tuple[str, str]]
) -> list[NamedResource]:
    """Return the retained resources that no stack has; `owned` has types and logical IDs."""
    return [it for it in expected if it.retained and (it.type, it.logical_id) not in owned]


def removable(leftovers: Iterable[ExistingResource]) -> list[ExistingResource]:
    """Return the resources without data, which a deployment removes and creates again."""
    return [it for it in leftovers if not it.content]


def with_data(leftovers: Iterable[ExistingResource]) -> list[ExistingResource]:
    """Return the resources with data, which only an operator may remove."""
    return [it for it in leftovers if it.content]


def describe(leftover: ExistingResource) -> str:
    """Return one line: type, name, Region, content and the template that has the name."""
    resource = leftover.resource
    content = leftover.content or "empty"
    kind = resource.type.rpartition("::")[2]
    return f"{kind} {resource.name} in {resource.region}: {content} ({resource.source})"


def deletion(leftover: ExistingResource) -> str:
    """Return how an operator deletes a resource with its data, with the names filled in."""
    resource = leftover.resource
    return _DELETIONS[resource.type].format(
        name=resource.name, region=resource.region, id=leftover.physical_id
    )


def refusal(leftovers: Iterable[ExistingResource]) -> str:
    """Return the message for leftovers with data, or an empty string if there are none."""
    lines = [f"  {describe(it)}. Delete: {deletion(it)}" for it in with_data(leftovers)]
    if not lines:
        return ""
    return "\n".join(
        [
            "These resources of an earlier stack hold data, so the deployment can't create them:",
            *lines,
            "Deploy with another Stage, or back up the data and delete the resources:",
            "docs/deploying.md#repeat-a-failed-deployment",
        ]
    )
