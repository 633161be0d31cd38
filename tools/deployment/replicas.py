"""The replicas of the global tables: one for each further Region of a stage.

The home's parameter ReplicaRegions has their Regions. CloudFormation adds or removes one replica of
a table in an update, so `make deploy` adds a Region after the other, and `make destroy` of a Region
removes its replicas.

The accounts table has none. `make deploy` removes those of an earlier version, one in an update:
the parameter AccountsReplicaRegions has their Regions until then.
"""

from typing import Any, Final

from aws_emulator.errors import CommandError
from tools.deployment import collector
from tools.deployment.environments import Environment, Layout
from tools.deployment.stacks import Stacks
from tools.stack import parameters_of

#: The global tables of stacks/foundation.yaml, without the stage.
TABLES: Final = ("appointments", "profiles")
#: The table without replicas.
ACCOUNTS: Final = "accounts"
_ACCOUNTS_REGIONS: Final = "AccountsReplicaRegions"


def deployed(home: Environment, clients: collector.Clients) -> list[str] | None:
    """Return the further Regions of the deployed home, or None if it has no list of them.

    It isn't deployed, or was deployed by a version without the parameter.

    Raises:
        ClientError: A call failed.
    """
    regions = _parameters(home, clients).get("ReplicaRegions")
    return None if regions is None else _listed(regions)


def accounts_regions(home: Environment, clients: collector.Clients) -> list[str]:
    """Return the further Regions in which the deployed accounts table has a replica.

    In a stage of an earlier version, they are those of the other tables, or of samconfig.toml if it
    had no parameter for them.

    Raises:
        ClientError: A call failed.
    """
    parameters = _parameters(home, clients)
    if not parameters:
        return []
    earlier = parameters.get("ReplicaRegions", ",".join(home.replica_regions))
    return _listed(parameters.get(_ACCOUNTS_REGIONS, earlier))


def _parameters(home: Environment, clients: collector.Clients) -> dict[str, str]:
    """Return the parameters of the deployed home, {} without a stack."""
    cloudformation = clients("cloudformation", home.region)
    if Stacks(cloudformation).status(home.stack_name) is None:
        return {}
    (stack,) = cloudformation.describe_stacks(StackName=home.stack_name)["Stacks"]
    return parameters_of(stack)


def _listed(regions: str) -> list[str]:
    return [it for it in regions.split(",") if it]


def kept(home: Environment, clients: collector.Clients) -> dict[str, str]:
    """Return the parameters with which the home is deployed again: its Regions don't change yet.

    Raises:
        ClientError: A call failed.
        CommandError: A deployed Region is no longer in samconfig.toml.
    """
    present = deployed(home, clients)
    accounts = accounts_regions(home, clients)
    values = {_ACCOUNTS_REGIONS: ",".join(accounts)} if accounts else {}
    if present is None:
        return values  # as in samconfig.toml: a new table may have several replicas
    gone = [it for it in present if it not in home.replica_regions]
    if gone:
        raise CommandError(
            f"{home.stack_name} has replicas in {', '.join(gone)}, which ReplicaRegions of "
            f"{home.name} in samconfig.toml lacks. Add them to it; remove a Region with `make "
            f"destroy PLACE={home.stage}-{gone[0]}`."
        )
    return values | {"ReplicaRegions": ",".join(present)}


def remove_accounts(home: Environment, clients: collector.Clients) -> None:
    """Remove the replicas of the accounts table that an earlier version created, one by one.

    The items stay in the home Region. A repeated call continues. The deployment before has turned
    off their deletion protection (stacks/foundation.yaml), so the pipeline's role can call it.

    Raises:
        ClientError: A call failed.
        CommandError: An update failed.
    """
    remaining = accounts_regions(home, clients)
    while remaining:
        region = remaining.pop()
        print(
            f"Removing the replica of the accounts table in {region}. It takes minutes.", flush=True
        )
        collector.update_parameters(home, {_ACCOUNTS_REGIONS: ",".join(remaining)}, clients)


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
    accounts = [it for it in accounts_regions(home, clients) if it != region]
    for name in (*TABLES, ACCOUNTS):
        _allow_deletion(clients("dynamodb", region), f"meridian-{environment.stage}-{name}")
    print(f"Removing the replicas of the tables in {region}. It takes minutes.", flush=True)
    regions = {"ReplicaRegions": ",".join(remaining), _ACCOUNTS_REGIONS: ",".join(accounts)}
    collector.update_parameters(home, regions, clients)
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
