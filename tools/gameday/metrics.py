"""The metrics that AWS would publish in a day, from the running system and the visitors' answers.

Health checks: Route 53's statuses. Replication: the age of the oldest write that waits. Edge: the
answers of the visitors. The poller's batches that Lambda gave up, and the age of its records.
"""

import json
import re
import threading
from collections.abc import Iterable, Sequence
from typing import Any, Final, Self

from aws_emulator.event_sources.errors import StateError
from aws_emulator.event_sources.status import read_status
from tools.dev.system import System
from tools.gameday.alarms import Alarm, Datum, Metric, metric_of
from tools.gameday.answers import Answer, Ledger
from tools.gameday.faults import waiting_writes
from tools.stack import EDGE_REGION

_INTERVAL_S: Final = 0.25
#: CloudFormation's names of resources: <stack>-<logical ID>-<random>; nested stacks repeat it.
_LOGICAL_ID: Final = re.compile(r"-([A-Z][A-Za-z0-9]*[a-z][A-Za-z0-9]*)(?=-|$)")


class Sampler:
    """Read statuses several times a second; the context lasts for the day."""

    def __init__(self, running: System, ledger: Ledger, speed: float) -> None:
        self.data: list[Datum] = []
        self._running = running
        self._ledger = ledger
        self._speed = speed
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="metrics")
        self._waiting_since: float | None = None
        self._discarded: dict[str, int] = {}

    def __enter__(self) -> Self:
        """Start to read."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop reading."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(_INTERVAL_S):
            now = self._ledger.now()
            self.data += [
                Datum(metric, now * self._speed, value)
                for metric, value in (
                    *self._health_checks(),
                    *self._replication(now),
                    *self._mappings(),
                )
            ]

    def _health_checks(self) -> list[tuple[Metric, float]]:
        path = self._running.directory / "route53" / "status.json"
        try:
            checks: list[dict[str, Any]] = json.loads(path.read_text())["checks"]
        except (OSError, ValueError):
            return []
        return [
            (
                _metric("AWS/Route53", "HealthCheckStatus", HealthCheckId=str(it["id"])),
                float(it["healthy"]),
            )
            for it in checks
        ]

    def _replication(self, now: float) -> list[tuple[Metric, float]]:
        try:
            waiting = waiting_writes(self._running)
        except OSError:
            return []
        if not waiting:
            self._waiting_since = None
            return []
        self._waiting_since = now if self._waiting_since is None else self._waiting_since
        latency_ms = (now - self._waiting_since) * self._speed * 1000
        table = f"meridian-{self._running.target.stage}-appointments"
        return [
            (
                _metric(
                    "AWS/DynamoDB", "ReplicationLatency", TableName=table, ReceivingRegion=region
                ),
                latency_ms,
            )
            for region in self._running.regions[1:]
        ]

    def _mappings(self) -> list[tuple[Metric, float]]:
        try:
            status = read_status(self._running.event_sources_status.parent)
        except StateError:
            status = None
        counts = []
        for mapping in status["mappings"] if status else ():
            name = str(mapping["uuid"])
            before = self._discarded.get(name, 0)
            self._discarded[name] = int(mapping["discarded"])
            delivered = "OnFailureDestinationDeliveredEventCount"
            metric = _metric("AWS/Lambda", delivered, EventSourceMappingUUID=name)
            counts.append((metric, float(max(0, self._discarded[name] - before))))
        return counts


def edge_data(answers: Iterable[Answer], distribution: str, speed: float) -> list[Datum]:
    """Return CloudFront's error rate: each answer is 0 % or 100 %, and their average the rate."""
    metric = _metric("AWS/CloudFront", "5xxErrorRate", DistributionId=distribution, Region="Global")
    return [
        Datum(metric, it.ended * speed, 100.0 if it.status >= 500 else 0.0)
        for it in answers
        if it.status
    ]


def deployed_alarms(running: System, data: Iterable[Datum]) -> dict[str, Alarm]:
    """Return the deployed alarms on metrics that the day measures, by a short name.

    The name is the logical ID, and the Region that the alarm is about if several have it.
    """
    measured = {it.metric for it in data}
    alarms: dict[str, Alarm] = {}
    for region in dict.fromkeys((*running.regions, EDGE_REGION)):
        pages = running.clients("cloudwatch", region).get_paginator("describe_alarms").paginate()
        for alarm in (it for page in pages for it in page["MetricAlarms"]):
            metric = metric_of(alarm)
            if metric in measured:
                alarms[_short_name(alarm, metric, region, running.regions)] = alarm
    return alarms


def _short_name(alarm: Alarm, metric: Metric, region: str, regions: Sequence[str]) -> str:
    logical_id = (_LOGICAL_ID.findall(str(alarm["AlarmName"])) or [alarm["AlarmName"]])[-1]
    values = dict(metric.dimensions)
    if "HealthCheckId" in values:
        # The check itself only has an ID.
        text = str(alarm.get("AlarmDescription"))
        return f"{logical_id} {next((it for it in regions if it in text), text)}"
    if "ReceivingRegion" in values:
        return f"{logical_id} {values['ReceivingRegion']}"
    return f"{logical_id} {region}" if "EventSourceMappingUUID" in values else str(logical_id)


def _metric(namespace: str, name: str, **dimensions: str) -> Metric:
    return Metric(namespace, name, frozenset(dimensions.items()))
