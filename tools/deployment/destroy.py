"""Delete an environment's stacks in order; keep the resources with data, and print them.

The command can be repeated: it continues with what still exists. The order is the reverse of a
deployment: edge, further Regions, home. Before a stream's stack goes, the collector stops to write
to the stream, and the stream's events reach the data lake. A further Region that is removed alone
has no replicas of the tables afterwards. With the home go the schedules of reminders, which no
stack has. The edge functions are deleted when CloudFront has removed their replicas.
"""

import os
import time
from collections.abc import Collection
from typing import Any, Final

import boto3

from aws_emulator.errors import CommandError
from tools.deployment import bookings_home, collector, region_values, reminders, replicas
from tools.deployment.edge_functions import delete_functions, left_behind
from tools.deployment.environments import Environment, Layout, layout_of
from tools.deployment.preflight.account import Account
from tools.deployment.stacks import KeptResource, Stacks
from tools.deployment.templates import kept_stacks
from tools.operations.commands import aws_stack
from tools.stack import EDGE_REGION

#: Type of `PROTECTED_TYPES` -> the command that turns its deletion protection off.
_UNPROTECT: Final = {
    "AWS::ElasticLoadBalancingV2::LoadBalancer": (
        "aws elbv2 modify-load-balancer-attributes --load-balancer-arn {id} --attributes "
        "Key=deletion_protection.enabled,Value=false --region {region}"
    ),
    "AWS::RDS::DBCluster": (
        "aws rds modify-db-cluster --db-cluster-identifier {id} --no-deletion-protection --region "
        "{region} (the deletion leaves a snapshot)"
    ),
    "AWS::RDS::GlobalCluster": (
        "aws rds modify-global-cluster --global-cluster-identifier {id} --no-deletion-protection "
        "--region {region}"
    ),
}


def destroy(environment: Environment, confirmation: str | None = None) -> None:
    """Delete an environment's stacks; for the home Region, first the stage's other stacks.

    Args:
        environment: The stack to delete.
        confirmation: The stack's name; by default the environment variable CONFIRM.

    Raises:
        CommandError: The confirmation is missing, the Region is the home of the bookings, events of
            a Region didn't reach its lake, or CloudFormation couldn't delete a resource.
    """
    layout = layout_of(environment)
    clients = Account(environment.region).client
    bookings_home.check_not_home(environment, layout, clients)
    order = layout.in_order()[::-1] if environment.is_home else [environment]
    regions = {it.region: Stacks(boto3.client("cloudformation", it.region)) for it in order}
    nested_stacks = kept_stacks()
    existing = [it for it in order if regions[it.region].existing(it.stack_name, nested_stacks)]
    deletes_edge = environment.is_home or environment.is_edge
    functions = boto3.client("lambda", EDGE_REGION) if deletes_edge else None
    has_replicas = replicas.has_replicas(environment, layout, clients)
    scheduler = boto3.client("scheduler", environment.region) if environment.is_home else None
    remains = (
        has_replicas
        or (functions and left_behind(environment.stage, functions))
        or (scheduler and reminders.schedules_of(environment.stage, scheduler))
    )
    if not existing and not remains:
        print(f"Stage {environment.stage} has no stack in {', '.join(it.region for it in order)}.")
        return
    kept_resources = [_print_plan(it, regions[it.region], nested_stacks) for it in existing]
    confirmed_name = confirmation if confirmation is not None else os.environ.get("CONFIRM", "")
    if confirmed_name != environment.stack_name:
        raise CommandError(
            f"Nothing was deleted. To delete the stacks above, run `make destroy "
            f"PLACE={environment.name} CONFIRM={environment.stack_name}`."
        )
    for each in existing:
        if each.is_edge:
            region_values.withdraw_certificate(layout, clients)
        else:
            release(layout, each, Account(each.region).client)
        delete_environment(each, regions[each.region], nested_stacks)
    names = ", ".join(it.stack_name for it in existing) or "no stack"
    print(f"Deleted {names}. {sum(map(len, kept_resources))} resources are kept; see above.")
    if has_replicas:
        replicas.remove(environment, layout, clients)
    if scheduler:
        # Last: the notifier, which creates them, is deleted.
        schedules = reminders.schedules_of(environment.stage, scheduler)
        reminders.delete_schedules(schedules, scheduler)
        print(f"Deleted {len(schedules)} schedules of reminders.")
    if functions:
        print(delete_edge_functions(environment, functions))


def delete_edge_functions(environment: Environment, functions: Any) -> str:
    """Delete the edge functions that the stacks of a stage left behind; return what happened.

    Args:
        environment: The deleted environment of the distribution.
        functions: boto3's Lambda client in its Region.

    Raises:
        ClientError: Lambda refused a call.
    """
    names = left_behind(environment.stage, functions)
    replicated = delete_functions(names, functions)
    text = f"Deleted {len(names) - len(replicated)} edge functions."
    if replicated:
        text += (
            f" CloudFront still has replicas of {', '.join(replicated)}. In some hours, run `make "
            f"destroy PLACE={environment.name} CONFIRM={environment.stack_name}` again."
        )
    return text


def delete_environment(
    environment: Environment, stacks: Stacks, nested_stacks: Collection[str]
) -> None:
    """Delete a stack, then the nested stacks that CloudFormation kept.

    A nested stack with `DeletionPolicy: RetainExceptOnCreate` stays as a stack without a parent.
    The logical IDs of these are `nested_stacks`.

    Raises:
        CommandError: CloudFormation couldn't delete a resource.
    """
    print(
        f"Deleting {environment.stack_name} in {environment.region}. It can take 30 minutes.",
        flush=True,
    )
    if stacks.status(environment.stack_name):
        stacks.delete(environment.stack_name)
    for name in reversed(stacks.existing(environment.stack_name, nested_stacks)):
        stacks.delete(name)


def release(
    layout: Layout,
    environment: Environment,
    clients: collector.Clients,
    in_flight_s: float = collector.IN_FLIGHT_S,
) -> None:
    """Leave no event in the stream of a Region whose stack will be deleted.

    A stack that an earlier run began to delete was released before.

    Args:
        layout: The environments of the stage.
        environment: The environment of the Region.
        clients: Makes a client for a service and a Region.
        in_flight_s: How long requests can last that the collector received before, in seconds.

    Raises:
        CommandError: The collector can't be updated, or events don't reach the lake.
    """
    status = Stacks(clients("cloudformation", environment.region)).status(environment.stack_name)
    if status is None or status.startswith("DELETE_"):
        return
    edge = layout.edge
    is_deployed = Stacks(clients("cloudformation", edge.region)).status(edge.stack_name)
    if is_deployed:
        if collector.remove_region(edge, environment, clients):
            time.sleep(in_flight_s)
        region_values.forget_region(layout, environment.region, clients)
    collector.wait_until_drained(aws_stack(environment.stack_name, environment.region))


def _print_plan(
    environment: Environment, stacks: Stacks, nested_stacks: Collection[str]
) -> list[KeptResource]:
    tree = stacks.existing(environment.stack_name, nested_stacks)
    kept_resources = [it for name in tree for it in stacks.kept_resources(name)]
    protected = [
        it for name in tree for it in stacks.protected_resources(name) if it not in kept_resources
    ]
    print(
        f"{environment.stack_name} in {environment.region}: {len(tree)} stacks will be deleted. "
        "Kept:"
    )
    for resource in kept_resources:
        print(resource.line())
    if protected:
        print("CloudFormation can't delete these before their protection is off:")
    for resource in protected:
        print(f"  {resource.type}: {unprotect(resource, environment.region)}")
    return kept_resources


def unprotect(resource: KeptResource, region: str) -> str:
    """Return the command that turns a resource's deletion protection off."""
    return _UNPROTECT[resource.type].format(id=resource.physical_id, region=region)
