"""Inject faults into a running system: failing calls, killed processes, restarted mappings."""

import contextlib
import json
import random
import time
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import psutil

from aws_emulator.errors import CommandError
from aws_emulator.event_sources.poller import CHECKPOINT_FILE
from aws_emulator.launcher import EVENT_SOURCES, MINISTACK
from tools.chaos.manual_deletion import ManualDeletion
from tools.chaos.plan import Plan
from tools.chaos.schedule import FaultRule, Step, draw_schedule
from tools.dev.system import System
from tools.stack import client

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
        #: How late the PUTs of the current phase are, in seconds, and when the last one of an
        #: earlier phase has taken effect (time.monotonic()).
        self._late_s = 0.0
        self._late_puts_end = 0.0
        # Its draws depend on the number of objects, so it has a generator of its own.
        self.deletion = ManualDeletion(running, random.Random(plan.seed))  # noqa: S311 - not a secret

    def run(self) -> None:
        """Inject the faults of the plan's schedule within its duration."""
        began, seconds = time.monotonic(), self._plan.seconds
        for step in draw_schedule(self._plan.seed):
            time.sleep(max(0.0, began + step.moment * seconds - time.monotonic()))
            self._execute(step)
        time.sleep(max(0.0, began + seconds - time.monotonic()))

    def _execute(self, step: Step) -> None:
        match step.action:
            case "start phase":
                self._start_phase(step.rules, step.seeds)
            case "kill functions":
                self._kill_functions()
            case "restart mappings":
                self._restart_mappings(step.wait_s)
            case "restart mappings at TRIM_HORIZON":
                self._restart_mappings_at_trim_horizon()
            case "delete checkpoints":
                self.deletion.delete_checkpoints()
            case "delete some objects":
                # A late PUT could take the number of a deleted entry whose records another one has
                # by then (docs/proof.md, "Deleted entries").
                time.sleep(max(0.0, self._late_puts_end - time.monotonic()))
                self.deletion.delete_some_objects()

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
        self._start_phase([("s3", "PUT", "refused", 1.0, 0, None)], [self._plan.seed])
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

    def _start_phase(self, rules: Sequence[FaultRule], seeds: Sequence[int]) -> None:
        self.clear()
        self._late_puts_end = max(self._late_puts_end, time.monotonic() + self._late_s)
        self._late_s = 0.0
        for (service, operation, kind, share, seconds, times), seed in zip(
            rules, seeds, strict=True
        ):
            rule = {"service": service, "kind": kind, "share": share, "seconds": seconds}
            rule |= {"operation": operation} if operation else {}
            rule |= {"times": times} if times else {}
            self._call_faults_api("POST", rule | {"seed": seed})
            if (service, kind) == ("s3", "late"):
                self._late_s = seconds

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

    def _restart_mappings(self, wait_s: float) -> None:
        """Kill the event source mappings; they resume from their checkpoints."""
        self._running.processes.kill(EVENT_SOURCES)
        time.sleep(wait_s)
        self._running.start_event_sources()
        self.counts["event source mappings restarted from their checkpoints"] += 1

    def _restart_mappings_at_trim_horizon(self) -> None:
        """Kill the event source mappings and delete their checkpoints."""
        self._running.processes.kill(EVENT_SOURCES)
        (self._running.event_sources_status.parent / CHECKPOINT_FILE).unlink(missing_ok=True)
        self._running.start_event_sources()
        self.counts["event source mappings restarted at TRIM_HORIZON"] += 1
