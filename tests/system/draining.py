"""Wait until the event source mappings of a running system have processed all records."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

from aws_emulator.event_sources.status import read_status
from tests.support.waiting import wait_until
from tools.dev.draining import is_drained
from tools.dev.system import System


def wait_until_drained(running: System, region: str | None = None) -> None:
    """Wait until a Region's functions have processed all records that are in its streams now.

    The default is the home Region.
    """
    region = region or running.target.region
    since = time.time()
    wait_until(
        lambda: is_drained(running, since, [region]), f"the event source mappings of {region}"
    )


@contextmanager
def progress_shown(running: System) -> Iterator[None]:
    """Add the progress of the event source mappings to an AssertionError of the block."""
    try:
        yield
    except AssertionError as error:
        status = read_status(running.event_sources_status.parent)
        error.add_note(f"Event source mappings: {json.dumps(status)}")
        raise
