"""Decide which functions get reserved concurrency. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from reserved_concurrency.errors import InvalidPropertyError, QuotaError

#: Lambda keeps this many executions unreserved (AWS Lambda Developer Guide, "Configuring reserved
#: concurrency for a function").
MIN_UNRESERVED_EXECUTIONS: Final = 100
MODES: Final = ("auto", "all", "none")


@dataclass(frozen=True)
class Reservation:
    """The executions that a function should have reserved."""

    function: str
    executions: int


@dataclass(frozen=True)
class Quota:
    """A Region's Lambda quota, in executions. `free` is neither used nor kept unreserved.

    `reserved` has the present reservations of the functions to plan; `free` includes them.
    """

    limit: int
    free: int
    reserved: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """Function name -> executions to reserve, None for no reservation. `summary` explains it."""

    reserved: Mapping[str, int | None]
    summary: str

    @property
    def executions(self) -> int:
        """The sum of the reservations."""
        return sum(it or 0 for it in self.reserved.values())


def ordered_changes(plan: Plan, quota: Quota) -> list[tuple[str, int | None]]:
    """Return the reservations to set, decreases before increases: the quota holds at each step."""

    def increase(change: tuple[str, int | None]) -> int:
        name, executions = change
        return (executions or 0) - quota.reserved.get(name, 0)

    return sorted(plan.reserved.items(), key=increase)


def parse_properties(properties: Mapping[str, object]) -> tuple[str, list[Reservation]]:
    """Parse the properties `Mode` and `Functions`, in the order of their priority.

    CloudFormation converts the numbers in a custom resource's properties to strings.

    Raises:
        InvalidPropertyError: A property is missing or malformed.
    """
    mode, functions = properties.get("Mode"), properties.get("Functions")
    if not isinstance(mode, str) or mode not in MODES:
        raise InvalidPropertyError(f"Mode must be one of {', '.join(MODES)}, not {mode!r}.")
    if not isinstance(functions, list) or not functions:
        raise InvalidPropertyError("Functions must be a list with at least one function.")
    return mode, [_parse_function(it) for it in functions]


def _parse_function(value: object) -> Reservation:
    name = value.get("Name") if isinstance(value, dict) else None
    executions = str(value.get("Executions")) if isinstance(value, dict) else ""
    if not isinstance(name, str) or not name:
        raise InvalidPropertyError(f"Functions: Name is missing or isn't a string in {value!r}.")
    if not executions.isascii() or not executions.isdigit() or int(executions) < 1:
        raise InvalidPropertyError(f"Functions: Executions of {name} must be a number above 0.")
    return Reservation(name, int(executions))


def make_plan(mode: str, wanted: list[Reservation], quota: Quota) -> Plan:
    """Return what to reserve: with auto, each function in turn that still fits into the quota.

    Args:
        mode: auto, all or none.
        wanted: The functions, the most important first.
        quota: The Region's quota, as if these functions had no reservation.

    Raises:
        QuotaError: The mode is all, and Lambda would refuse a reservation.
    """
    if mode == "none":
        return Plan(dict.fromkeys((it.function for it in wanted), None), "No concurrency reserved.")
    free = quota.free
    reserved: dict[str, int | None] = {}
    for reservation in wanted:
        fits = reservation.executions <= free
        reserved[reservation.function] = reservation.executions if fits else None
        free -= reservation.executions if fits else 0
    total, granted = sum(it.executions for it in wanted), quota.free - free
    if granted == total:
        return Plan(reserved, f"Reserved {total} of {quota.limit} executions.")
    missing = ", ".join(name for name, executions in reserved.items() if executions is None)
    explanation = (
        f"{granted} of {total} executions: Lambda's quota is {quota.limit} and "
        f"{MIN_UNRESERVED_EXECUTIONS} stay unreserved. Without a reservation: {missing}. Request a "
        "higher quota (L-B99A9384), then deploy with ReservedConcurrency=all."
    )
    if mode == "all":
        raise QuotaError(f"Lambda can reserve only {explanation}")
    return Plan(reserved, f"Reserved {explanation}")
