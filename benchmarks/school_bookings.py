"""Duration of a booking and of a cancellation through CloudFront, on the emulator."""

import statistics
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import httpx

from tools.advisors import register_advisor
from tools.dev import system

#: Bookings that start the function's process, which takes seconds.
WARM: Final = 5


def run(running: system.System, count: int) -> None:
    """Book and cancel up to 45 slots one after the other, and print the percentiles."""
    count = min(count, 45)
    advisor = f"bench-{uuid.uuid4().hex[:8]}"
    register_advisor(running.target, advisor)
    first = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(days=2)
    starts = [f"{first + timedelta(hours=it):%Y-%m-%dT%H:%M:%SZ}" for it in range(count + WARM)]
    headers = {"Authorization": f"Bearer {running.students[0].token}"}
    with httpx.Client(base_url=f"{running.url}/api", headers=headers, timeout=60) as http:

        def book(start: str) -> None:
            body = {"advisorId": advisor, "start": start}
            http.post("/appointments", json=body).raise_for_status()

        def cancel(start: str) -> None:
            http.delete(f"/appointments/{advisor}/{start}").raise_for_status()

        for name, operation in (("booking", book), ("cancellation", cancel)):
            durations = [_duration_ms(operation, start) for start in starts][WARM:]
            p50, p99 = (statistics.quantiles(durations, n=100)[it] for it in (49, 98))
            print(f"{name}: p50 {p50:.0f} ms, p99 {p99:.0f} ms, with its notices in the outbox")


def _duration_ms(operation: Callable[[str], None], start: str) -> float:
    began = time.perf_counter()
    operation(start)
    return (time.perf_counter() - began) * 1000
