"""What the idle course catalogue costs in a month in one Region, by its parameters.

The prices are AWS's list prices in us-east-1, each with its page and month. Requests, storage,
access logs and the transfer between Regions are extra. Nothing is measured.
"""

from typing import Final, NamedTuple

MONTH_HOURS: Final = 730
#: Zones of the network; each has an address of the load balancer, and a task.
ZONES: Final = 2
#: Least capacity of an instance that doesn't pause (stacks/catalogue/database.yaml).
MIN_ACU: Final = 0.5
#: Valkey's least billed storage in GB.
CACHE_GB: Final = 0.1
#: A task has a quarter of a vCPU and half a GB (stacks/catalogue/tasks.yaml).
TASK_VCPU: Final = 0.25
TASK_GB: Final = 0.5


class Price(NamedTuple):
    """The price of one unit in USD, in us-east-1."""

    dollars: float
    unit: str
    page: str
    month: str


PRICES: Final = {
    "balancer": Price(
        0.0225, "load balancer hour", "aws.amazon.com/elasticloadbalancing/pricing", "2026-11"
    ),
    "address": Price(0.005, "public IPv4 address hour", "aws.amazon.com/vpc/pricing", "2026-11"),
    "acu": Price(0.12, "ACU-hour", "aws.amazon.com/rds/aurora/pricing", "2026-11"),
    "cache_gb": Price(
        0.084, "GB-hour of serverless Valkey", "aws.amazon.com/elasticache/pricing", "2026-11"
    ),
    "task_vcpu": Price(0.04048, "vCPU-hour", "aws.amazon.com/fargate/pricing", "2026-11"),
    "task_gb": Price(0.004445, "GB-hour", "aws.amazon.com/fargate/pricing", "2026-11"),
    "key": Price(1.0, "key and month", "aws.amazon.com/kms/pricing", "2026-11"),
}


def region_dollars(*, readers: int, is_global: bool, has_tasks: bool) -> dict[str, float]:
    """Return the charges of one Region in USD a month.

    Args:
        readers: The parameter Readers.
        is_global: The parameter GlobalDatabase.
        has_tasks: Whether Compute is fargate.
    """
    price = {name: known.dollars for name, known in PRICES.items()}
    pauses = readers == 0 and not is_global
    instances = 0 if pauses else 1 + readers
    addresses = ZONES * (2 if has_tasks else 1)
    task = TASK_VCPU * price["task_vcpu"] + TASK_GB * price["task_gb"]
    return {
        "load balancer": MONTH_HOURS * price["balancer"],
        f"{addresses} addresses": MONTH_HOURS * addresses * price["address"],
        f"{instances} database instances": MONTH_HOURS * instances * MIN_ACU * price["acu"],
        "cache": MONTH_HOURS * CACHE_GB * price["cache_gb"],
        "key": price["key"],
        f"{ZONES if has_tasks else 0} tasks": MONTH_HOURS * ZONES * task if has_tasks else 0.0,
    }


def monthly_line(*, readers: int, is_global: bool, has_tasks: bool) -> str:
    """Return one line: the sum and its parts in USD, with the month of the prices."""
    parts = region_dollars(readers=readers, is_global=is_global, has_tasks=has_tasks)
    listed = ", ".join(f"{part} {dollars:.0f}" for part, dollars in parts.items() if dollars)
    month = max(it.month for it in PRICES.values())
    return (
        f"idle, it costs about {sum(parts.values()):.0f} USD a month in this Region ({listed}; "
        f"prices of us-east-1, {month})"
    )
