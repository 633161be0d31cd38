"""Begin and end the losses of an act on a running system."""

import json
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from aws_emulator.launcher import CLOUDFRONT
from tools.dev.system import System
from tools.gameday.acts import Act

_TIMEOUT_S: Final = 30.0


@contextmanager
def losses(running: System, act: Act) -> Iterator[None]:
    """Begin the act's losses, and end them with the context."""
    try:
        for outage in act.outages:
            query = {"region": outage.region, "on": "1", "kind": outage.kind}
            query |= {"service": outage.service} if outage.service else {}
            _post(running, "outage", query)
        if act.is_replication_held:
            _post(running, "replication", {"held": "1"})
        if act.lost_place:
            running.processes.kill(_place(running, act.lost_place))
        yield
    finally:
        for region in {it.region for it in act.outages}:
            _post(running, "outage", {"region": region, "on": "0"})
        if act.is_replication_held:
            _post(running, "replication", {"held": "0"})
        if act.lost_place:
            running.emulator.start_cloudfront(
                urllib.parse.urlsplit(running.urls[act.lost_place]).port or 0,
                running.api_url,
                region=act.lost_place,
                dns_port=running.dns_port,
            )


def waiting_writes(running: System) -> int:
    """Return the number of writes that haven't reached another Region."""
    url = f"{running.target.endpoint}/_local/replication"
    with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as response:
        return int(json.load(response)["waiting"])


def _place(running: System, region: str) -> str:
    """Return the name of the process of an edge location."""
    return CLOUDFRONT if region == running.regions[0] else f"{CLOUDFRONT}-{region}"


def _post(running: System, control: str, query: dict[str, str]) -> Any:
    url = f"{running.target.endpoint}/_local/{control}?{urllib.parse.urlencode(query)}"
    request = urllib.request.Request(url, method="POST")
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as response:
        return json.load(response)
