"""Inject faults into a running system: failing calls, killed processes, restarted mappings."""

import contextlib
import json
import random
import time
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from operator import itemgetter
from typing import Any, Final

import psutil

from aws_emulator.errors import CommandError
from aws_emulator.event_sources.poller import CHECKPOINT_FILE
from aws_emulator.launcher import EVENT_SOURCES, MINISTACK
from tools.chaos.manual_deletion import ManualDeletion
from tools.chaos.plan import Plan
from tools.dev.system import System
from tools.stack import client

#: Service, operation (None: any), kind, share of calls, seconds, maximum number of calls.
type FaultRule = tuple[str, str | None, str, float, float, int | None]

#: Each phase replaces the one before it; the injector draws their order. A "late" call takes effect
#: after the function's client has timed out (S3 after 15 s, DynamoDB after 5 s).
_FAULT_PHASES: Final[tuple[tuple[FaultRule, ...], ...]] = (
    (("s3", "PUT", "refused", 0.7, 0, None),),
    (("s3", "PUT", "lost", 0.7, 0, None),),
    (("s3", "PUT", "cut", 0.7, 0, None),),
    (("dynamodb", "PutItem", "refused", 0.7, 0, None), ("s3", "GET", "refused", 0.5, 0, None)),
    (("dynamodb", "PutItem", "lost", 0.7, 0, None), ("s3", "HEAD", "refused", 0.5, 0, None)),
    (("dynamodb", "PutItem", "late", 1.0, 5.5, 3), ("dynamodb", None, "cut", 0.4, 0, None)),
    (
        ("kinesis", None, "lost", 0.3, 0, None),
        ("kinesis", None, "refused", 0.2, 0, None),
        ("kinesis", None, "throttled", 0.2, 0, None),
    ),
)
#: Always the first phase: its late calls must take effect before the operator's repairs.
_LATE_WRITES: Final[tuple[FaultRule, ...]] = (
    ("s3", "PUT", "late", 1.0, 15.5, 1),
    ("s3", "PUT", "lost", 0.5, 0, None),
)
_KINDS: Final = {
    "refused": "refused",
    "throttled": "throttled",
    "lost": "executed, error returned",
    "cut": "executed, connection closed",
    "late": "executed after the client's timeout",
}
_SERVICES: Final = {"s3": "S3", "dynamodb": "DynamoDB", "kinesis": "Kinesis"}
_FUNCTIONS: Final = ("events", "changes")
_FAILED_BATCHES_TIMEOUT_S: Final = 45.0


class FaultInjector:
    """The faults of one run. `counts` counts them by kind; `deletion` deletes data."""

    def __init__(self, plan: Plan, running: System) -> None:
        self.counts: Counter[str] = Counter()
        self._plan = plan
        self._running = running
        self._rng = random.Random(plan.seed)  # noqa: S311 - not a secret
        self.deletion = ManualDeletion(running, self._rng)

    def run(self) -> None:
        """Inject all faults in random order within the plan's duration."""
        began, seconds = time.monotonic(), self._plan.seconds
        phases = [_LATE_WRITES, *self._rng.sample(_FAULT_PHASES, len(_FAULT_PHASES))]
        actions: list[tuple[float, Callable[[], None]]] = [
            *(
                (number / len(phases), partial(self._start_phase, phase))
                for number, phase in enumerate(phases)
            ),
            *((self._rng.random(), self._kill_functions) for _ in range(4)),
            (self._rng.uniform(0.2, 0.8), self._restart_mappings),
            (self._rng.uniform(0.3, 0.7), self.deletion.delete_checkpoints),
            (self._rng.uniform(0.4, 0.8), self._restart_mappings_at_trim_horizon),
            (self._rng.uniform(0.3, 0.6), self.deletion.delete_some_objects),
        ]
        for moment, action in sorted(actions, key=itemgetter(0)):
            time.sleep(max(0.0, began + moment * seconds - time.monotonic()))
            action()
        time.sleep(max(0.0, began + seconds - time.monotonic()))

    def clear(self) -> None:
        """Remove all fault rules, and count the calls that they failed."""
        for rule in self._call_faults_api("DELETE", {}):
            if rule["acted"]:
                call = f"{_SERVICES[rule['service']]} {rule['operation'] or 'call'}"
                self.counts[f"{call} {_KINDS[rule['kind']]}"] += rule["acted"]

    @contextmanager
    def failing_writes(self) -> Iterator[None]:
        """Fail all object writes, without retries, so that Lambda discards batches.

        The context ends when each event source mapping has sent a batch to its on-failure
        destination.

        Raises:
            CommandError: No batch arrived there within the timeout.
        """
        lambdas = client("lambda", self._running.target)
        mappings = [
            mapping
            for function in _FUNCTIONS
            for mapping in lambdas.list_event_source_mappings(
                FunctionName=f"meridian-{self._running.target.stage}-{function}"
            )["EventSourceMappings"]
        ]
        before = self._failed_batches()
        self._start_phase([("s3", "PUT", "refused", 1.0, 0, None)])
        for mapping in mappings:
            lambdas.update_event_source_mapping(
                UUID=mapping["UUID"], MaximumRetryAttempts=0, BisectBatchOnFunctionError=False
            )
        try:
            yield
            self._wait_for_failed_batches(before, len(mappings))
        finally:
            self.clear()
            for mapping in mappings:
                lambdas.update_event_source_mapping(
                    UUID=mapping["UUID"],
                    MaximumRetryAttempts=mapping["MaximumRetryAttempts"],
                    BisectBatchOnFunctionError=mapping["BisectBatchOnFunctionError"],
                )
        self.counts["batch discarded by Lambda, kept in S3"] += len(self._failed_batches() - before)

    def _wait_for_failed_batches(self, before: set[str], mappings: int) -> None:
        deadline = time.monotonic() + _FAILED_BATCHES_TIMEOUT_S
        while len({key.split("/")[2] for key in self._failed_batches() - before}) < mappings:
            if time.monotonic() > deadline:
                raise CommandError(
                    "The on-failure destination didn't receive a batch of each mapping within "
                    f"{_FAILED_BATCHES_TIMEOUT_S:.0f} s."
                )
            time.sleep(0.3)

    def _failed_batches(self) -> set[str]:
        """Return the keys of the on-failure destination's objects."""
        bucket = self._running.deployed.outputs["FailuresBucket"]
        paginator = client("s3", self._running.target).get_paginator("list_objects_v2")
        pages = paginator.paginate(Bucket=bucket, Prefix="aws/lambda/")
        return {item["Key"] for page in pages for item in page.get("Contents", [])}

    def _start_phase(self, phase: Sequence[FaultRule]) -> None:
        self.clear()
        for service, operation, kind, share, seconds, times in phase:
            rule = {"service": service, "kind": kind, "share": share, "seconds": seconds}
            rule |= {"operation": operation} if operation else {}
            rule |= {"times": times} if times else {}
            self._call_faults_api("POST", rule | {"seed": self._rng.randrange(2**31)})

    def _call_faults_api(self, method: str, rule: dict[str, Any]) -> Any:
        url = f"{self._running.target.endpoint}/_local/faults?{urllib.parse.urlencode(rule)}"
        request = urllib.request.Request(url, method=method)
        with urllib.request.urlopen(request, timeout=10) as response:
            return json.load(response)

    def _kill_functions(self) -> None:
        """Kill the processes of both functions, also during an invocation."""
        names = {f"meridian-{self._running.target.stage}-{it}" for it in _FUNCTIONS}
        (ministack,) = (it for it in self._running.processes.started if it.name == MINISTACK)
        for child in psutil.Process(ministack.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if child.environ().get("AWS_LAMBDA_FUNCTION_NAME") in names:
                    child.kill()
                    self.counts["function process killed"] += 1

    def _restart_mappings(self) -> None:
        """Kill the event source mappings; they resume from their checkpoints."""
        self._running.processes.kill(EVENT_SOURCES)
        time.sleep(self._rng.uniform(0.5, 2.0))
        self._running.start_event_sources()
        self.counts["event source mappings restarted from their checkpoints"] += 1

    def _restart_mappings_at_trim_horizon(self) -> None:
        """Kill the event source mappings and delete their checkpoints."""
        self._running.processes.kill(EVENT_SOURCES)
        (self._running.event_sources_status.parent / CHECKPOINT_FILE).unlink(missing_ok=True)
        self._running.start_event_sources()
        self.counts["event source mappings restarted at TRIM_HORIZON"] += 1
