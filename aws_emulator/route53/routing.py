"""Choose the records that answer a question, by Route 53's routing policies. Pure.

Source: Amazon Route 53 Developer Guide, "Choosing a routing policy" and "How Amazon Route 53
chooses records when health checking is configured".
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from aws_emulator.route53.locations import latency_ms, service_address
from aws_emulator.route53.model import Deployed, Health, HostedZone, RecordSet

#: Multivalue answer routing: up to eight healthy records.
MAX_VALUES: Final = 8
#: An alias to an AWS resource has the TTL of the resource: 60 seconds for the emulated ones.
SERVICE_TTL_S: Final = 60
#: A name is followed through this many aliases or CNAMEs.
_MAX_LINKS: Final = 8
_API: Final = re.compile(r".+\.execute-api\.(?P<region>[a-z0-9-]+)\.amazonaws\.com\.")
_DISTRIBUTION: Final = re.compile(r"[^.]+\.cloudfront\.net\.")
_LOOPBACK: Final = {"A": "127.0.0.1", "AAAA": "::1"}

#: Return a number from 0 up to 1, without 1.
type Draw = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Client:
    """The origin of a question, and the random number for weighted records."""

    location: str
    draw: Draw


@dataclass(frozen=True, slots=True)
class Record:
    """One record of an answer."""

    name: str
    type: str
    ttl_s: int
    value: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The records of an answer; none if the name has no record of the type.

    `zone` is None if no zone has the name. `depends_on_client` says whether clients elsewhere can
    get another answer.
    """

    zone: HostedZone | None
    exists: bool = False
    records: tuple[Record, ...] = ()
    depends_on_client: bool = False


def choose(
    records: Sequence[RecordSet], is_healthy: Callable[[RecordSet], bool], client: Client
) -> list[RecordSet]:
    """Return the record sets of one name and type that answer a client.

    If none is healthy, all count as healthy.
    """
    policy = records[0].policy
    healthy = [it for it in records if is_healthy(it)]
    if policy == "failover":
        return _failover(records, healthy)
    candidates = healthy or list(records)
    if policy == "latency":
        return [min(candidates, key=lambda it: _distance(it, client.location))]
    if policy == "weighted":
        return _weighted(records, healthy, client.draw)
    if policy == "multivalue":
        offset = int(client.draw() * len(candidates))
        return [*candidates[offset:], *candidates[:offset]][:MAX_VALUES]
    return candidates


def resolve(deployed: Deployed, health: Health, name: str, kind: str, client: Client) -> Answer:
    """Return the answer to a question. `name` is lower-case and ends with a dot."""
    zone = deployed.zone_of(name)
    if zone is None:
        return Answer(None)
    view = _View(deployed, health, client)
    records = tuple(view.records(zone, name, kind, _MAX_LINKS))
    exists = _owner(zone, name) is not None
    return Answer(zone, exists, records, view.depends_on_client)


def _failover(records: Sequence[RecordSet], healthy: Sequence[RecordSet]) -> list[RecordSet]:
    for role in ("PRIMARY", "SECONDARY"):
        if chosen := [it for it in healthy if it.failover == role]:
            return chosen
    # If no record is healthy, all count as healthy, so the primary ones answer.
    return [it for it in records if it.failover == "PRIMARY"] or list(records)


def _weighted(
    records: Sequence[RecordSet], healthy: Sequence[RecordSet], draw: Draw
) -> list[RecordSet]:
    """Draw a record. One with the weight 0 answers only if all others are unhealthy."""
    pool = _with_weight(healthy) or list(healthy) or _with_weight(records) or list(records)
    total = sum(it.weight or 0 for it in pool)
    if total == 0:
        return [pool[int(draw() * len(pool))]]
    rest = draw() * total
    for record in pool:
        rest -= record.weight or 0
        if rest < 0:
            return [record]
    return [pool[-1]]


def _with_weight(records: Sequence[RecordSet]) -> list[RecordSet]:
    return [it for it in records if it.weight]


def _distance(record: RecordSet, location: str) -> tuple[float, str]:
    return latency_ms(location, str(record.region)), record.identifier


def _owner(zone: HostedZone, name: str) -> str | None:
    """Return the name whose records answer `name`: itself, or the wildcard nearest to it."""
    names = zone.names()
    if name in names or any(it.endswith(f".{name}") for it in names):
        return name
    labels = name.split(".")
    for start in range(1, len(labels)):
        wildcard = ".".join(["*", *labels[start:]])
        if wildcard in names:
            return wildcard
    return None


@dataclass(slots=True)
class _View:
    """The deployed zones as one client sees them."""

    deployed: Deployed
    health: Health
    client: Client
    depends_on_client: bool = False

    def records(self, zone: HostedZone, name: str, kind: str, links: int) -> list[Record]:
        """Return the records of a name, of its aliases and CNAMEs; at most `links`."""
        owner = _owner(zone, name)
        if owner is None or links == 0:
            return []
        if record_sets := zone.records.get((owner, kind)):
            return self._of_sets(zone, record_sets, name, links)
        if kind != "CNAME" and (record_sets := zone.records.get((owner, "CNAME"))):
            links_to = self._of_sets(zone, record_sets, name, links)
            targets = {it.value for it in links_to if self.deployed.zone_of(it.value) is zone}
            further = [self.records(zone, target, kind, links - 1) for target in sorted(targets)]
            return [*links_to, *(record for records in further for record in records)]
        return []

    def _of_sets(
        self, zone: HostedZone, record_sets: Sequence[RecordSet], name: str, links: int
    ) -> list[Record]:
        self.depends_on_client |= record_sets[0].policy == "latency"
        chosen = choose(record_sets, lambda it: self._is_healthy(it, _MAX_LINKS), self.client)
        records: list[Record] = []
        for record_set in chosen:
            if record_set.alias is None:
                records += [
                    Record(name, record_set.type, record_set.ttl_s, it) for it in record_set.values
                ]
                continue
            target = record_set.alias.name
            if self.deployed.zone_of(target) is zone:
                # An alias answers under its own name, with the TTL of its target.
                records += [
                    Record(name, it.type, it.ttl_s, it.value)
                    for it in self.records(zone, target, record_set.type, links - 1)
                ]
            elif value := service_value(target, record_set.type):
                records.append(Record(name, record_set.type, SERVICE_TTL_S, value))
        return records

    def _is_healthy(self, record: RecordSet, links: int) -> bool:
        """Return whether a record's check is healthy, and its alias's target if it evaluates it."""
        if record.health_check is not None and not self.health.get(record.health_check, True):
            return False
        if record.alias is None or not record.alias.evaluates_target_health or links == 0:
            return True
        zone = self.deployed.zone_of(record.alias.name)
        targets = zone.records.get((record.alias.name, record.type)) if zone else None
        # One healthy record is enough for the alias.
        return not targets or any(self._is_healthy(it, links - 1) for it in targets)


def service_value(name: str, kind: str) -> str | None:
    """Return the address of an emulated service by its AWS name, or None if it has none."""
    if kind == "A" and (match := _API.fullmatch(name)):
        return service_address(match["region"])
    return _LOOPBACK.get(kind) if _DISTRIBUTION.fullmatch(name) else None
