"""The replicas of the global tables: one for each further Region of a stage.

The home's parameter ReplicaRegions has their Regions. CloudFormation adds or removes one replica of
a table in an update, so `make deploy` adds a Region after the other, and `make destroy` of a Region
removes its replicas.
"""

from typing import Any, Final

from aws_emulator.errors import CommandError
from tools.deployment import collector
from tools.deployment.environments import Environment, Layout
from tools.deployment.stacks import Stacks
from tools.stack import parameters_of

#: The global tables of stacks/foundation.yaml, without the stage.
TABLES: Final = ("accounts", "appointments", "profiles")


def deployed(home: Environment, clients: collector.Clients) -> list[str] | None:
    """Return the further Regions of the deployed home, or None if it has no list of them.

    It isn't deployed, or was deployed by a version without the parameter.

    Raises:
        ClientError: A call failed.
    """
    cloudformation = clients("cloudformation", home.region)
    if Stacks(cloudformation).status(home.stack_name) is None:
        return None
    (stack,) = cloudformation.describe_stacks(StackName=home.stack_name)["Stacks"]
    regions = parameters_of(stack).get("ReplicaRegions")
    return None if regions is None else [it for it in regions.split(",") if it]


def kept(home: Environment, clients: collector.Clients) -> dict[str, str]:
    """Return the parameter with which the home is deployed again: its Regions don't change yet.

    Raises:
        ClientError: A call failed.
        CommandError: A deployed Region is no longer in samconfig.toml.
    """
    present = deployed(home, clients)
    if present is None:
        return {}  # as in samconfig.toml: a new table may have several replicas
    gone = [it for it in present if it not in home.replica_regions]
    if gone:
        raise CommandError(
            f"{home.stack_name} has replicas in {', '.join(gone)}, which ReplicaRegions of "
            f"{home.name} in samconfig.toml lacks. Add them to it; remove a Region with `make "
            f"destroy PLACE={home.stage}-{gone[0]}`."
        )
    return {"ReplicaRegions": ",".join(present)}


def add_missing(home: Environment, clients: collector.Clients) -> None:
    """Add the replicas that the deployed home lacks, one Region after the other.

    Raises:
        ClientError: A call failed.
        CommandError: An update failed.
    """
    present = deployed(home, clients)
    if present is None:
        return
    for region in home.replica_regions:
        if region not in present:
            present.append(region)
            print(f"Adding replicas of the tables in {region}. It takes minutes.", flush=True)
            collector.update_parameters(home, {"ReplicaRegions": ",".join(present)}, clients)


def has_replicas(environment: Environment, layout: Layout, clients: collector.Clients) -> bool:
    """Return whether the deployed home has replicas in the Region of an environment.

    Raises:
        ClientError: A call failed.
    """
    is_further = environment.is_serving and not environment.is_home
    return is_further and environment.region in (deployed(layout.home, clients) or [])


def remove(environment: Environment, layout: Layout, clients: collector.Clients) -> None:
    """Remove the replicas in a Region whose stack is deleted; the items stay in other Regions.

    Raises:
        ClientError: DynamoDB refused a call.
        CommandError: The update of the home failed.
    """
    region, home = environment.region, layout.home
    remaining = [it for it in deployed(home, clients) or [] if it != region]
    for name in TABLES:
        _allow_deletion(clients("dynamodb", region), f"meridian-{environment.stage}-{name}")
    print(f"Removing the replicas of the tables in {region}. It takes minutes.", flush=True)
    collector.update_parameters(home, {"ReplicaRegions": ",".join(remaining)}, clients)
    if region in home.replica_regions:
        print(
            f"Take {region} out of ReplicaRegions of {home.name} in samconfig.toml: the next `make "
            f"deploy PLACE={home.name}` would add it again."
        )


def _allow_deletion(dynamodb: Any, table: str) -> None:
    """Turn off the deletion protection of a replica; each replica has its own."""
    try:
        dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False)
    except dynamodb.exceptions.ResourceNotFoundException:
        return  # an earlier run has removed it
    dynamodb.get_waiter("table_exists").wait(TableName=table)
