"""Advisors whom tests register, and slots of them."""

import uuid
from datetime import UTC, datetime, timedelta

from tools.advisors import register_advisor
from tools.dev.system import System


def new_advisor(running: System) -> str:
    """Register an advisor who takes appointments at any half hour; return the id."""
    advisor = f"advisor-{uuid.uuid4().hex[:12]}"
    register_advisor(running.target, advisor)
    return advisor


def start_in(days: int, minutes: int = 570) -> str:
    """Return the start of a slot so many days ahead, at so many minutes after 00:00 in UTC."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return f"{midnight + timedelta(days=days, minutes=minutes):%Y-%m-%dT%H:%M:%SZ}"


def new_slot(running: System) -> dict[str, str]:
    """Return a booking of a free slot with a new advisor."""
    return {"advisorId": new_advisor(running), "start": start_in(3)}
