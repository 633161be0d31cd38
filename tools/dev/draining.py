"""Wait until the functions of a running system have processed all records of their streams."""

import time
from collections.abc import Collection
from typing import Final

from aws_emulator.event_sources.errors import StateError
from aws_emulator.event_sources.status import drained, read_status
from tools.dev.system import System

_INTERVAL_S: Final = 0.3


def is_drained(
    running: System, since: float, regions: Collection[str], sources_at_least: int = 1
) -> bool:
    """Return whether the event source mappings of some Regions have processed what was there.

    `since` is in Unix seconds. Mappings elsewhere don't count: a Region that was removed leaves a
    mapping of its deleted table, which never runs. Fewer than `sources_at_least` streams mean that
    the mappings aren't known yet.
    """
    try:
        status = read_status(running.event_sources_status.parent)
    except StateError:
        return False
    mappings = [it for it in status["mappings"] if it["region"] in regions] if status else []
    sources = {it["source_arn"] for it in mappings}
    return len(sources) >= sources_at_least and drained(
        {"mappings": mappings}, since=since, sources=sources
    )


def wait_until_drained(running: System, timeout_s: float) -> bool:
    """Wait for all Regions of the system; return False after `timeout_s` seconds."""
    since, deadline = time.time(), time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        # The events' stream and the appointments' table.
        if is_drained(running, since, running.regions, sources_at_least=2):
            return True
        time.sleep(_INTERVAL_S)
    return False
