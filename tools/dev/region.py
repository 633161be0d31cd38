"""Add a Region to the running system of `make up`, or remove one (`make region`).

It takes the steps of `make deploy` and `make destroy`: replicas of the tables, the Region's stack,
the collector; and in reverse, after the Region's stream is drained.
"""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from aws_emulator.errors import CommandError
from tools.deployment import bookings_home, collector, region_values, replicas
from tools.deployment.destroy import delete_environment
from tools.deployment.environments import layout_of_regions
from tools.deployment.stacks import Stacks
from tools.deployment.templates import kept_stacks
from tools.dev import sam_deployment
from tools.dev.options import further_regions
from tools.dev.system import LOCAL_PARAMETERS
from tools.operations.commands import local_stack
from tools.paths import STATE
from tools.stack import EDGE_REGION, RUNNING_SYSTEM_FILE, StackTarget, client, find_running_stack

#: Twice the time for which the local CloudFront serves an old distribution.
IN_FLIGHT_S: Final = 5.0
_EXAMPLE: Final = "`make region ADD=eu-central-1`"


def change_regions(environment: Mapping[str, str], directory: Path = STATE / "up") -> int:
    """Add the Region ADD to the running system, or remove the Region REMOVE.

    Raises:
        CommandError: An option is invalid, no system is running, or a step failed.
    """
    added, removed = (environment.get(it, "").strip() for it in ("ADD", "REMOVE"))
    if bool(added) == bool(removed):
        raise CommandError(f"Set one of ADD and REMOVE. For example: {_EXAMPLE}")
    target = find_running_stack(directory)
    if target is None:
        raise CommandError("No system is running. Start `make up` in another terminal first.")
    record = json.loads((directory / RUNNING_SYSTEM_FILE).read_text())
    regions = [it for it in record["regions"] if it == target.region or it != EDGE_REGION]
    if added:
        log = directory / "logs" / f"sam-{added}.log"
        regions = add(target, regions, added, log, record.get("names", {}))
    else:
        regions = remove(target, regions, removed, record.get("names", {}))
    all_regions = list(dict.fromkeys((*regions, EDGE_REGION)))
    (directory / RUNNING_SYSTEM_FILE).write_text(json.dumps({**record, "regions": all_regions}))
    return 0


def add(
    target: StackTarget,
    regions: list[str],
    name: str,
    log: Path,
    names: Mapping[str, str] | None = None,
) -> list[str]:
    """Add a Region, and return the Regions; the first of `regions` is the home.

    `names` are the parameters Domain and HostedZoneId, if the system has a domain.

    Raises:
        CommandError: The Region can't be added, or a step failed.
    """
    if name in regions:
        raise CommandError(f"The running system has {name} already. Add another Region.")
    regions = [target.region, *further_regions(target.region, [*regions[1:], name])]
    layout = layout_of_regions(target.stage, regions, names)
    clients = _clients_of(target)
    replicas.add_missing(layout.home, clients)
    environment = layout.others[-1]
    parameters = {
        **environment.overrides,
        **region_values.needed_values(environment, layout, clients),
        **LOCAL_PARAMETERS,
    }
    sam_deployment.deploy(StackTarget(target.endpoint, name, target.stage), parameters, log)
    region_values.pass_on(environment, layout, clients)
    print(f"{name} serves events and the API. It has no edge location: restart `make up` for one.")
    return regions


def remove(
    target: StackTarget, regions: list[str], name: str, names: Mapping[str, str] | None = None
) -> list[str]:
    """Remove a Region, and return the remaining Regions; the first of `regions` is the home.

    `names` are the parameters Domain and HostedZoneId, if the system has a domain.

    Raises:
        CommandError: The Region can't be removed, or a step failed.
    """
    if name not in regions[1:]:
        raise CommandError(
            f"The running system has no further Region {name}. Name one of: "
            f"{', '.join(regions[1:]) or 'none'}."
        )
    clients = _clients_of(target)
    layout = layout_of_regions(target.stage, regions, names)
    (environment,) = (it for it in layout.others if it.region == name)
    remaining = [it for it in regions if it != name]
    bookings_home.check_not_home(environment, layout, clients, is_local=True)
    if collector.remove_region(layout.edge, environment, clients):
        time.sleep(IN_FLIGHT_S)
    region_values.forget_region(layout, name, clients)
    collector.wait_until_drained(local_stack(StackTarget(target.endpoint, name, target.stage)))
    delete_environment(environment, Stacks(clients("cloudformation", name)), kept_stacks())
    replicas.remove(environment, layout_of_regions(target.stage, remaining, names), clients)
    print(f"Removed {name}. Its data lake stays; events go to {', '.join(remaining)}.")
    return remaining


def _clients_of(target: StackTarget) -> collector.Clients:
    def clients(service: str, region: str) -> Any:
        return client(service, StackTarget(target.endpoint, region))

    return clients
