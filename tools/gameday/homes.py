"""Move the home of the bookings as `make failover` does, and settle what it leaves behind."""

from tools.dev.system import System
from tools.operations import conflicts, failover


def move(running: System, to: str, *, is_lost: bool = False) -> None:
    """Make a Region the home of the bookings.

    Raises:
        CommandError: The home can't move.
    """
    homes = failover.local_homes(running.directory)
    failover.Move(homes, to, is_lost, lambda _line: None).run()


def settle(running: System) -> frozenset[tuple[tuple[str, str], str]]:
    """Settle the conflicts; return the slots as (advisor, start), and who lost them.

    Raises:
        CommandError: The Regions don't know the same home.
        ClientError: DynamoDB refused a call.
    """
    tables = conflicts.tables_of(failover.local_homes(running.directory))
    settled = set()
    for conflict in tables.conflicts():
        start, _, advisor = conflict.slot.partition("/")
        if tables.settle(conflict):
            settled.add(((advisor, start), conflict.student))
    return frozenset(settled)
