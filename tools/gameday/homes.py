"""Move the home of the bookings as `make failover` does, and settle what it leaves behind."""

from typing import Final

from tools.deployment.templates import load
from tools.dev.system import System
from tools.operations import conflicts, failover
from tools.paths import ROOT

_SIGN_UPS: Final = ROOT / "stacks" / "sign-ups.yaml"


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


def hasten_sign_ups(running: System, clock_speed: float) -> None:
    """Deliver sign-ups that wait for the home as often as the day's clock is faster than AWS's.

    Raises:
        ClientError: SQS refused a call.
    """
    queue = load(_SIGN_UPS)["Resources"]["SignUpsQueue"]["Properties"]
    seconds = str(max(1, round(queue["VisibilityTimeout"] / clock_speed)))
    for region in running.regions[1:]:
        sqs = running.clients("sqs", region)
        name = f"meridian-{running.target.stage}-sign-ups"
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": seconds})
