"""Keep the home of the bookings: `make destroy` must not delete the Region that accepts them."""

from aws_emulator.errors import CommandError
from tools.deployment.collector import Clients
from tools.deployment.environments import Environment, Layout
from tools.operations.failover import Homes, Record, UnreachableError


def check_not_home(
    environment: Environment, layout: Layout, clients: Clients, *, is_local: bool = False
) -> None:
    """Check that a further Region isn't the home of the bookings, nor about to become it.

    A Region that doesn't answer isn't asked twice: the function of a stack that an earlier run
    began to delete is gone, and the other Region knows the record, too.

    Raises:
        CommandError: The Region is the home.
    """
    if environment.is_home or not environment.is_serving:
        return
    home = layout.home.region
    homes = Homes(environment.stage, (home, environment.region), clients)
    known: list[Record] = []
    for region in homes.regions:
        try:
            known.append(homes.record(region))
        except UnreachableError:
            continue
    if not known or max(known, key=lambda it: it.epoch).home != environment.region:
        return
    variables = "" if is_local else f"PLACE={environment.name} "
    raise CommandError(
        f"Nothing was deleted: {environment.region} is the home of the bookings. Move it with "
        f"`make failover {variables}TO={home}`, then repeat the command."
    )
