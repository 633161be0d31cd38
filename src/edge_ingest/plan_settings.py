"""The setting `plan` of a source: JSON Schemas for the properties of its track events.

{"events": {"Order": {"type": "object", "required": ["total"], …}},    by event name
 "violations": "mark",      or "refuse"
 "unplanned": "allow"}      or "violation": events whose name isn't in `events`
"""

from typing import Any, Final

from edge_ingest.json_schema import SchemaError, check_schema

__all__ = ["MAX_EVENTS", "Plan", "SchemaError", "parse_plan"]

MAX_EVENTS: Final = 500


class Plan:
    """A tracking plan. `refuse`: it refuses violations instead of marking them.

    `only_planned`: an event whose name isn't in `events` violates it.
    """

    __slots__ = ("events", "only_planned", "refuse")

    def __init__(
        self, events: dict[str, dict[str, Any]], *, refuse: bool, only_planned: bool
    ) -> None:
        self.events = events
        self.refuse = refuse
        self.only_planned = only_planned


def parse_plan(value: object) -> Plan | None:
    """Return the plan in a setting, or None without one.

    Raises:
        SchemaError: The plan or one of its schemas is invalid.
    """
    if value is None:
        return None
    if not isinstance(value, dict) or not isinstance(value.get("events"), dict):
        raise SchemaError("must be an object with events")
    if unknown := sorted(value.keys() - {"events", "violations", "unplanned"}):
        raise SchemaError(f"has an unknown setting: {unknown[0]}")
    events = value["events"]
    if len(events) > MAX_EVENTS:
        raise SchemaError(f"has more than {MAX_EVENTS} events")
    for name, schema in events.items():
        check_schema(schema, f"events.{name}")
    violations, unplanned = value.get("violations", "mark"), value.get("unplanned", "allow")
    if violations not in ("mark", "refuse"):
        raise SchemaError("violations must be mark or refuse")
    if unplanned not in ("allow", "violation"):
        raise SchemaError("unplanned must be allow or violation")
    return Plan(events, refuse=violations == "refuse", only_planned=unplanned == "violation")
