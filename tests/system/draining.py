"""Wait until the event source mappings of a running system have processed all records."""

import time

from aws_emulator.event_sources.status import drained, read_status
from tests.support.waiting import wait_until
from tools.dev.system import System


def wait_until_drained(running: System, region: str | None = None) -> None:
    """Wait until a Region's functions have processed all records that are in its streams now.

    The default is the home Region.
    """
    region = region or running.target.region
    since = time.time()

    def look() -> bool:
        status = read_status(running.event_sources_status.parent)
        mappings = [it for it in status["mappings"] if it["region"] == region] if status else []
        sources = {it["source_arn"] for it in mappings}
        return bool(sources) and drained({"mappings": mappings}, since=since, sources=sources)

    wait_until(look, f"the event source mappings of {region}")
