"""Run one fault injection plan: send, inject faults, repair as an operator does, check the lake."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final

from aws_emulator.errors import CommandError
from tools.chaos import report
from tools.chaos.appointment_writer import AppointmentWriter
from tools.chaos.event_sender import EventSender
from tools.chaos.fault_injector import FaultInjector
from tools.chaos.lake_checks import Check, LakeChecks
from tools.chaos.plan import Plan
from tools.chaos.report import CommandResult
from tools.chaos.stream_rows import read_stream_rows
from tools.dev.draining import wait_until_drained
from tools.dev.system import System
from tools.operations import commands as operations
from tools.progress import step
from tools.replay.http_client import HttpClient
from tools.stack import client

UNREADABLE_RECORDS: Final = 20
DRAIN_TIMEOUT_S: Final = 90.0
#: The counts of `verify` that are 0 for a complete lake: its exit code says the same.
FAULTS: Final = ("gaps", "overlaps", "deleted", "without_summary", "missing", "lost", "waiting")

#: A command's output line with its counts, such as `verified {...}`. Other lines are logs.
_COUNTS_LINE: Final = re.compile(r"\w+ ({.*})")

type Counts = dict[str, Any]


def run(running: System, plan: Plan) -> int:
    """Run a plan on a running system and print the report. Returns 1 if a check fails.

    Raises:
        CommandError: The system didn't accept or process the data in time.
    """
    print(f"  seed {plan.seed} (SEED={plan.seed} repeats the events and the faults)")
    target = running.target
    table = f"meridian-{target.stage}-appointments"
    dynamodb = client("dynamodb", target)
    sender = EventSender(plan, running.deployed.write_key, lambda: HttpClient(running.url))
    writer = AppointmentWriter(plan, dynamodb, table, target.region)
    injector = FaultInjector(plan, running)
    operator = _Operator(operations.local_stack(target))

    _send_under_faults(running, plan, sender, writer, injector)
    checks: list[Check] = []
    operator.reconcile()
    with _lake_checks(running) as lake:
        checks += lake.check_table_agreement(
            _scan(dynamodb, table), target.region, "after reconcile: "
        )
    operator.repair()
    with step("deleting the newest objects and all checkpoints"):
        injector.deletion.delete_newest_objects()
    operator.restore()
    sent, written = sender.sent, writer.written
    with step("querying the data lake"), _lake_checks(running) as lake:
        stream = running.deployed.outputs["StreamName"]
        rows = read_stream_rows(client("kinesis", target), stream, plan.run)
        checks += lake.check_metadata()
        checks += lake.check_stream_rows(rows)
        checks += lake.check_events(plan, sent, UNREADABLE_RECORDS)
        checks += lake.check_changes(written)
        checks += lake.check_table_agreement(_scan(dynamodb, table), target.region)
        facts = {
            "events": f"{len(sent.accepted):,} accepted in {sent.requests:,} requests, "
            f"{sent.repeated:,} of them repeated, {sent.unanswered:,} without a response",
            "changes": f"{len(written.own):,} in this Region, {written.foreign:,} in another",
            "lake": f"{lake.objects:,} objects; {lake.count_duplicates(plan):,} rows marked as "
            f"duplicates, {lake.count_excluded_copies(plan):,} excluded by the view; "
            f"{lake.count_reconciled():,} rows added by reconcile",
        }
    faults = injector.counts + injector.deletion.counts
    return report.show(plan, facts, faults, operator.results, checks)


def _send_under_faults(
    running: System,
    plan: Plan,
    sender: EventSender,
    writer: AppointmentWriter,
    injector: FaultInjector,
) -> None:
    with step("sending events and changes under faults"):
        sender.start()
        writer.start()
        try:
            injector.run()
        finally:
            injector.clear()
        sender.finish()
        writer.finish()
        writer.expire_items()
    with step("draining the streams"):
        # Otherwise Lambda can discard a batch of earlier changes, whose items changed since.
        _wait_until_drained(running)
    with step("discarding batches after failed writes"), injector.failing_writes():
        _put_unreadable_records(running, plan)
        sender.send_reserved()
        writer.write_reserved()
        # Every reserved change is then in no object, so `reconcile` has differences to repair.
        _wait_until_drained(running)


class _Operator:
    """Run the operator's commands, each a second time to check that it then finds nothing."""

    def __init__(self, stack: operations.OperatedStack) -> None:
        self.results: list[CommandResult] = []
        self._stack = stack

    def reconcile(self) -> None:
        """Compare the table and the lake before any other repair."""
        self._run("reconcile", "repairs differences", lambda it: it["repaired"] > 0)
        self._run("reconcile", "finds nothing more", lambda it: it["repaired"] == 0)

    def repair(self) -> None:
        """Process the failed batches, and restore the deleted objects."""
        self._run(
            "redrive",
            "stores discarded batches, keeps rejected events as bad rows",
            lambda it: it["written"] > 0 and it["closed"] == 0,
        )
        self._run("redrive", "finds nothing more", lambda it: it["written"] == 0)
        # A mapping that restarted at TRIM_HORIZON may have restored the objects already.
        self._run("verify RESTORE=1", "restores objects deleted under faults", _is_complete)

    def restore(self) -> None:
        """Restore the newest objects of all shards after their deletion."""
        self._run("verify", "reports the deleted newest objects", _is_incomplete, code=1)
        self._run("verify RESTORE=1", "restores them from the streams", _is_complete)
        self._run("verify", "finds nothing more", _is_complete)
        self._run("reconcile", "finds nothing", lambda it: it["repaired"] == 0)

    def _run(
        self, command: str, purpose: str, expected: Callable[[Counts], bool], code: int = 0
    ) -> None:
        """Run a command and record its result.

        Raises:
            CommandError: The command prints no counts.
        """
        name, *options = command.split()
        arguments = ["--restore"] if options else []
        with step(f"make {command}"):
            completed = operations.run(self._stack, name, arguments, capture=True)
        counts: Counts = {}
        for line in completed.stdout.splitlines():
            if match := _COUNTS_LINE.fullmatch(line):
                counts |= json.loads(match[1])
        if not counts:
            lines = [*completed.stdout.splitlines(), *completed.stderr.splitlines()] or [
                "no output"
            ]
            raise CommandError(f"`make {command}` failed: {'; '.join(lines[-3:]).rstrip('.')}.")
        text = ", ".join(f"{key} {value}" for key, value in counts.items() if value) or "no changes"
        passed = completed.returncode == code and expected(counts)
        if not passed:
            # The counts don't have every fault, and a command can end after it printed them.
            said = [*completed.stdout.splitlines(), *completed.stderr.splitlines()]
            text += f"; exit code {completed.returncode}: {'; '.join(map(str.strip, said))}"
        self.results.append(CommandResult(command, purpose, text, passed))


def _is_complete(counts: Counts) -> bool:
    """Return what `verify` returns as its exit code."""
    return not any(counts[name] for name in FAULTS)


def _is_incomplete(counts: Counts) -> bool:
    return not _is_complete(counts)


def _put_unreadable_records(running: System, plan: Plan) -> None:
    client("kinesis", running.target).put_records(
        StreamName=running.deployed.outputs["StreamName"],
        Records=[
            {"Data": f"{plan.run} unreadable {number}".encode(), "PartitionKey": str(number)}
            for number in range(UNREADABLE_RECORDS)
        ],
    )


def _wait_until_drained(running: System) -> None:
    if wait_until_drained(running, DRAIN_TIMEOUT_S):
        return
    raise CommandError(
        f"The event source mappings still have records {DRAIN_TIMEOUT_S:.0f} s after the last "
        "fault."
    )


@contextmanager
def _lake_checks(running: System) -> Iterator[LakeChecks]:
    folder = Path(mkdtemp(prefix="lake-", dir=running.directory))
    try:
        bucket = running.deployed.outputs["LakeBucket"]
        lake = LakeChecks(client("s3", running.target), bucket, folder)
        try:
            yield lake
        finally:
            lake.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _scan(dynamodb: Any, table: str) -> list[dict[str, Any]]:
    pages = dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return [item for page in pages for item in page["Items"]]
