"""Tracking plans: check the properties of track events against the JSON Schema of their name.

A source's plan either marks an event that violates it, or refuses the event. A marked event is
stored as usual; a refused one is stored as a bad row with its text, so neither is lost.
"""

from typing import Any, Final

import msgspec

from clickstream.event import InvalidEventError, View
from edge_ingest.json_schema import find_violation
from edge_ingest.plan_settings import Plan

#: The code of a violation, in rows, responses and lists of verdicts.
CODE: Final = "plan_violation"
UNPLANNED: Final = "the plan has no event with this name"
# A message contains the path of a property, whose names can be long. Its end says what is wrong.
_MAX_MESSAGE_CHARS: Final = 200


class _Event(msgspec.Struct, gc=False):
    properties: dict[str, Any] | None = None


_decoder: Final = msgspec.json.Decoder(_Event)


def check(plan: Plan, view: View, text: bytes) -> str | None:
    """Return CODE if a valid track event violates the plan and the plan marks it, else None.

    Raises:
        InvalidEventError: The event violates the plan, and the plan refuses it.
    """
    problem = _problem(plan, view.event or "", text)
    if problem is None:
        return None
    if plan.refuse:
        raise InvalidEventError(CODE, problem)
    return CODE


def _problem(plan: Plan, name: str, text: bytes) -> str | None:
    schema = plan.events.get(name)
    if schema is None:
        return UNPLANNED if plan.only_planned else None
    try:
        properties = _decoder.decode(text).properties or {}
    except msgspec.DecodeError:
        return "the properties can't be read"
    violation = find_violation(schema, properties, "properties")
    if violation is None or len(violation) <= _MAX_MESSAGE_CHARS:
        return violation
    return f"…{violation[1 - _MAX_MESSAGE_CHARS :]}"
