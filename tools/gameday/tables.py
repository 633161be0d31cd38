"""Read the items of a Region's tables: bookings, advisors and preferences."""

from collections.abc import Iterable, Mapping
from typing import Any

from tools.dev.system import System

#: A low-level item of DynamoDB: a type and a value for each attribute.
type Item = Mapping[str, Any]
#: (advisor, start).
type Slot = tuple[str, str]


def scan(running: System, region: str, table: str) -> list[Item]:
    """Return all items of a table of the stage in a Region.

    Raises:
        ClientError: DynamoDB refused the call.
    """
    pages = running.clients("dynamodb", region).get_paginator("scan")
    name = f"meridian-{running.target.stage}-{table}"
    return [item for page in pages.paginate(TableName=name) for item in page["Items"]]


def bookings(items: Iterable[Item]) -> dict[Slot, str]:
    """Return the booked slots in the items of the appointments, and their students."""
    booked = {}
    for item in items:
        advisor, slot = str(item["pk"]["S"]), str(item["sk"]["S"])
        if advisor.startswith("ADVISOR#") and slot.startswith("SLOT#") and "student" in item:
            key = (advisor.removeprefix("ADVISOR#"), slot.removeprefix("SLOT#"))
            booked[key] = str(item["student"]["S"])
    return booked


def advisors(items: Iterable[Item]) -> frozenset[str]:
    """Return the advisors in the items of the appointments."""
    return frozenset(
        str(it["sk"]["S"]).removeprefix("ADVISOR#")
        for it in items
        if str(it["pk"]["S"]) == "ADVISORS"
    )


def preferences(items: Iterable[Item]) -> dict[str, str]:
    """Return the preferences, as JSON, of each student in the items of the profiles."""
    return {
        str(it["pk"]["S"]).removeprefix("STUDENT#"): str(it["preferences"]["S"])
        for it in items
        if "preferences" in it
    }
