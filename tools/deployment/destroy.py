"""Delete an environment's stacks in order; keep the resources with data, and print them.

The command can be repeated: it continues with what still exists. Regional stacks go before the home
Region's, because they read its user pool and tables.
"""

import os
from collections.abc import Collection

import boto3
from samtranslator.yaml_helper import yaml_parse

from aws_emulator.errors import CommandError
from tools.deployment.environments import Environment, environments_of_stage
from tools.deployment.stacks import KeptResource, Stacks
from tools.paths import ROOT


def destroy(environment: Environment, confirmation: str | None = None) -> None:
    """Delete an environment's stacks; for the home Region, first the stage's regional stacks.

    Args:
        environment: The stack to delete.
        confirmation: The stack's name; by default the environment variable CONFIRM.

    Raises:
        CommandError: The confirmation is missing, or CloudFormation couldn't delete a resource.
    """
    order = [environment]
    if environment.is_home:
        order = [it for it in environments_of_stage(environment.stage) if not it.is_home] + order
    regions = {it.region: Stacks(boto3.client("cloudformation", it.region)) for it in order}
    kept_stacks = _kept_stacks()
    existing = [it for it in order if regions[it.region].existing(it.stack_name, kept_stacks)]
    if not existing:
        print(f"Stage {environment.stage} has no stack in {', '.join(it.region for it in order)}.")
        return
    kept_resources = [_print_plan(it, regions[it.region], kept_stacks) for it in existing]
    confirmed_name = confirmation if confirmation is not None else os.environ.get("CONFIRM", "")
    if confirmed_name != environment.stack_name:
        raise CommandError(
            f"Nothing was deleted. To delete the stacks above, run `make destroy "
            f"PLACE={environment.name} CONFIRM={environment.stack_name}`."
        )
    for each in existing:
        delete_environment(each, regions[each.region], kept_stacks)
    print(
        f"Deleted {len(existing)} stacks. {sum(map(len, kept_resources))} resources are kept; see "
        "above."
    )


def delete_environment(
    environment: Environment, stacks: Stacks, kept_stacks: Collection[str]
) -> None:
    """Delete a stack, then the nested stacks that CloudFormation kept.

    A nested stack with `DeletionPolicy: RetainExceptOnCreate` stays as a stack without a parent.
    The logical IDs of these are `kept_stacks`.

    Raises:
        CommandError: CloudFormation couldn't delete a resource.
    """
    print(
        f"Deleting {environment.stack_name} in {environment.region}. It can take 30 minutes.",
        flush=True,
    )
    if stacks.status(environment.stack_name):
        stacks.delete(environment.stack_name)
    for name in reversed(stacks.existing(environment.stack_name, kept_stacks)):
        stacks.delete(name)


def _kept_stacks() -> list[str]:
    """Return the logical IDs of the nested stacks that stay after the root's deletion."""
    resources = yaml_parse((ROOT / "template.yaml").read_text())["Resources"]
    return [
        name
        for name, it in resources.items()
        if it["Type"] == "AWS::Serverless::Application"
        and str(it.get("DeletionPolicy", "")).startswith("Retain")
    ]


def _print_plan(
    environment: Environment, stacks: Stacks, kept_stacks: Collection[str]
) -> list[KeptResource]:
    tree = stacks.existing(environment.stack_name, kept_stacks)
    kept_resources = [it for name in tree for it in stacks.kept_resources(name)]
    print(
        f"{environment.stack_name} in {environment.region}: {len(tree)} stacks will be deleted. "
        "Kept:"
    )
    for resource in kept_resources:
        print(resource.line())
    return kept_resources
