"""The running server: the deployed zones, the statuses of their health checks, and the answers.

Statuses are on a page: the file `status.json` in the state directory, written at each change.
"""

import json
import random
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from aws_emulator.route53.checker import passes
from aws_emulator.route53.health import Observed, observe, statuses
from aws_emulator.route53.locations import Address, location_of
from aws_emulator.route53.model import Deployed, HealthCheck, HealthCheckId, ZoneError
from aws_emulator.route53.routing import Answer, Client, Record, resolve

#: How often the server compares the zones with the control plane.
RELOAD_INTERVAL_S: Final = 1.0
_MAX_CONCURRENT_REQUESTS: Final = 16
_TICK_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Timing:
    """How time passes: a `speed` of 10 shortens the intervals of checks and the TTLs to a tenth."""

    speed: float = 1.0

    def interval_s(self, check: HealthCheck) -> float:
        """Return the time between two requests of a check, in seconds."""
        return check.interval_s / self.speed

    def ttl_s(self, record: Record) -> int:
        """Return the TTL with which a record is answered, at least a second."""
        return max(1, round(record.ttl_s / self.speed)) if record.ttl_s else 0


class Service:
    """Answer questions, and keep the statuses of the health checks."""

    def __init__(
        self,
        read: Callable[[], Deployed],
        status: Path,
        default_location: str,
        https_port: int | None = None,
        timing: Timing | None = None,
    ) -> None:
        """Set up the service.

        Args:
            read: Reads the deployed zones and checks.
            status: The file with the statuses.
            default_location: The Region of clients outside the known networks, and of checkers.
            https_port: The loopback port that stands for port 443 of custom domain names.
            timing: How fast time passes.
        """
        self._read = read
        self._status = status
        self._default_location = default_location
        self._https_port = https_port
        self._timing = timing or Timing()
        self._lock = threading.Lock()
        self._observed: dict[HealthCheckId, Observed] = {}
        self._due_s: dict[HealthCheckId, float] = {}
        self._deployed = Deployed()
        self._health: dict[HealthCheckId, bool] = {}

    def load(self) -> None:
        """Read the deployed zones and checks.

        Raises:
            ZoneError: They can't be read or aren't supported.
        """
        deployed = self._read()
        with self._lock:
            self._deployed = deployed
            self._observed = {
                it: state for it, state in self._observed.items() if it in deployed.checks
            }
        self._update()

    def answer(self, name: str, kind: str, client: Address) -> Answer:
        """Return the answer to a question of a client."""
        location = location_of(client, self._default_location)
        with self._lock:
            deployed, health = self._deployed, self._health
        drawn = Client(location, random.SystemRandom().random)
        answer = resolve(deployed, health, name, kind, drawn)
        records = tuple(replace(it, ttl_s=self._timing.ttl_s(it)) for it in answer.records)
        return replace(answer, records=records)

    def run(self, stopped: threading.Event) -> None:
        """Send the requests of the checks and reload the zones, until `stopped` is set."""
        reload_s = 0.0
        with ThreadPoolExecutor(_MAX_CONCURRENT_REQUESTS) as threads:
            while not stopped.wait(_TICK_S):
                now = time.monotonic()
                if now >= reload_s:
                    self._reload()
                    reload_s = time.monotonic() + RELOAD_INTERVAL_S
                for check in self._due(now):
                    threads.submit(self._check, check)

    def _reload(self) -> None:
        try:
            self.load()
        except ZoneError as error:
            # The data plane answers on with the last zones while the control plane is down.
            print(f"route53: {error}", file=sys.stderr, flush=True)

    def _due(self, now: float) -> list[HealthCheck]:
        """Return the checks whose next request is due, and plan the one after it."""
        due = []
        with self._lock:
            for check in self._deployed.checks.values():
                if check.is_calculated or check.is_disabled or now < self._due_s.get(check.id, 0.0):
                    continue
                self._due_s[check.id] = now + self._timing.interval_s(check)
                due.append(check)
        return due

    def _check(self, check: HealthCheck) -> None:
        succeeded = passes(check, self._address_of, self._https_port)
        with self._lock:
            state = self._observed.get(check.id, Observed())
            self._observed[check.id] = observe(state, check.threshold, succeeded)
        self._update()

    def _address_of(self, host: str) -> str | None:
        """Return the address of a check's host name as the zones answer it."""
        if host == "localhost":
            return "127.0.0.1"
        name = f"{host.lower()}."
        with self._lock:
            deployed, health = self._deployed, self._health
        client = Client(self._default_location, random.SystemRandom().random)
        records = resolve(deployed, health, name, "A", client).records
        return next((it.value for it in records if it.type == "A"), None)

    def _update(self) -> None:
        """Calculate the statuses, and write them if one has changed."""
        with self._lock:
            before, self._health = self._health, statuses(self._deployed.checks, self._observed)
            if before == self._health and self._status.exists():
                return
            lines = [_line(self._deployed.checks[it], up) for it, up in self._health.items()]
            for check_id, is_healthy in self._health.items():
                if before.get(check_id, True) != is_healthy:
                    print(_text(self._deployed.checks[check_id], is_healthy), flush=True)
            new = self._status.with_suffix(".new")
            new.write_text(json.dumps({"checks": lines}, indent=1))
            new.replace(self._status)


def _line(check: HealthCheck, is_healthy: bool) -> dict[str, object]:
    return {
        "id": check.id,
        "type": check.type,
        "asks": "" if check.is_calculated else f"{check.host or check.address}{check.path}",
        "inverted": check.is_inverted,
        "healthy": is_healthy,
    }


def _text(check: HealthCheck, is_healthy: bool) -> str:
    asked = f"{check.type} {check.host or check.address or ''}{check.path}".strip()
    if check.is_calculated:
        asked = f"calculated from {len(check.children)} checks"
    status = "healthy" if is_healthy else "unhealthy"
    return f"route53: health check {check.id} ({asked}) is {status}."
