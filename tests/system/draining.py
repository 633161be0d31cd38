"""Wait until the event source mappings of a running system have processed all records."""

import time

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
