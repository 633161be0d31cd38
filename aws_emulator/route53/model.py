"""Hosted zones, record sets and health checks as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from aws_emulator.errors import CommandError

type HealthCheckId = str
#: Whether a health check is healthy, by its ID.
type Health = Mapping[HealthCheckId, bool]
type Failover = Literal["PRIMARY", "SECONDARY"]

#: The routing policies that can have several record sets with one name and type.
POLICIES: Final = ("failover", "latency", "multivalue", "simple", "weighted")


class ZoneError(CommandError):
    """The deployed zones or health checks can't be read, or aren't supported."""


@dataclass(frozen=True, slots=True)
class Alias:
    """The target of an alias record; `name` ends with a dot."""

    name: str
    evaluates_target_health: bool


@dataclass(frozen=True, slots=True)
class RecordSet:
    """Records with one name, type and set identifier. `name` is lower-case and ends with a dot.

    An alias has no `ttl_s` of its own. Without a routing policy, `identifier` is empty.
    """

    name: str
    type: str
    ttl_s: int = 0
    values: tuple[str, ...] = ()
    alias: Alias | None = None
    identifier: str = ""
    region: str | None = None
    weight: int | None = None
    failover: Failover | None = None
    is_multivalue: bool = False
    health_check: HealthCheckId | None = None

    @property
    def policy(self) -> str:
        """The routing policy, one of POLICIES."""
        if self.region is not None:
            return "latency"
        if self.weight is not None:
            return "weighted"
        if self.failover is not None:
            return "failover"
        return "multivalue" if self.is_multivalue else "simple"


@dataclass(frozen=True, slots=True)
class HostedZone:
    """A public hosted zone. `records` maps name and type to the record sets of one policy."""

    name: str
    records: Mapping[tuple[str, str], tuple[RecordSet, ...]]

    def names(self) -> frozenset[str]:
        """Return the names that have a record."""
        return frozenset(name for name, _ in self.records)


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """A health check. Intervals are in seconds.

    `children` and `min_healthy` are those of a calculated check: it is healthy if at least that
    many of its children are. `search` is the text that a check on the body demands.
    """

    id: HealthCheckId
    type: str
    host: str = ""
    address: str | None = None
    port: int = 80
    path: str = "/"
    search: str | None = None
    interval_s: int = 30
    threshold: int = 3
    is_inverted: bool = False
    is_disabled: bool = False
    children: tuple[HealthCheckId, ...] = ()
    min_healthy: int = 0

    @property
    def is_calculated(self) -> bool:
        """Whether other checks decide instead of requests."""
        return self.type == "CALCULATED"


@dataclass(frozen=True, slots=True)
class Deployed:
    """Everything that the server answers from."""

    zones: tuple[HostedZone, ...] = ()
    checks: Mapping[HealthCheckId, HealthCheck] = field(default_factory=dict)

    def zone_of(self, name: str) -> HostedZone | None:
        """Return the zone with the longest name that contains `name`."""
        matching = [it for it in self.zones if name == it.name or name.endswith(f".{it.name}")]
        return max(matching, key=lambda it: len(it.name), default=None)
