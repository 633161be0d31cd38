"""Send, storm, repair as an operator does, and count."""

import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from aws_emulator.errors import CommandError
from aws_emulator.event_sources.errors import StateError
from aws_emulator.event_sources.status import drained, read_status
from tools import operate, sam
from tools.chaos import report, stream
from tools.chaos.judge import Lake, Line
from tools.chaos.plan import Plan
from tools.chaos.report import Said
from tools.chaos.school import School
from tools.chaos.storm import Storm
from tools.chaos.visitors import Visitors
from tools.dev.system import System
from tools.progress import step
from tools.replay.transport import HttpClient

#: Records that are no events at all, straight on the stream.
GARBAGE = 20
#: Seconds until the streams must be empty after the storm.
CALM_S = 90.0

#: A line of a command's that says what it did: `verified {...}`. Others are logs, or details.
_FIGURES = re.compile(r"\w+ ({.*})")

type Counts = dict[str, Any]


def run(running: System, plan: Plan) -> int:
    """Run one plan; print the report. Returns 1 where anything differs. Raises CommandError."""
    print(f"  seed {plan.seed}: SEED={plan.seed} sends the same and draws the same faults")
    place = running.place
    table = f"meridian-{place.stage}-appointments"
    dynamodb = sam.client("dynamodb", place)
    visitors = Visitors(plan, running.deployed.write_key, lambda: HttpClient(running.url))
    school = School(plan, dynamodb, table, place.region)
    storm = Storm(plan, running)
    operator = _Operator(operate.local_stack(place))

    with step("events, changes and faults at once"):
        visitors.start()
        school.start()
        try:
            storm.blow()
        finally:
            storm.end()
        visitors.finish()
        school.finish()
        school.expire()
    with step("batches that nobody can write"), storm.giving_up():
        _garbage(running, plan)
        visitors.last()
        school.last()
    sent, written = visitors.sent, school.written
    with step("the streams run empty"):
        _wait_until_calm(running)

    lines: list[Line] = []
    operator.reconciles()
    with _lake(running) as lake:
        lines += lake.agreement(_items(dynamodb, table), place.region, "after reconcile: ")
    operator.repairs()
    with step("the newest objects and all rows deleted"):
        storm.hand.newest()
    operator.restores()
    with step("counting the lake"), _lake(running) as lake:
        kinesis = sam.client("kinesis", place)
        lines += lake.conserved()
        lines += lake.places(stream.rows(kinesis, running.deployed.outputs["StreamName"], plan.run))
        lines += lake.events(plan, sent, GARBAGE)
        lines += lake.changes(written)
        lines += lake.agreement(_items(dynamodb, table), place.region)
        facts = {
            "events": f"{len(sent.accepted):,} accepted in {sent.requests:,} requests, "
            f"{sent.repeated:,} of them sent twice, {sent.unanswered:,} without an answer",
            "changes": f"{len(written.own):,} of this region, {written.foreign:,} of another",
            "lake": f"{lake.objects:,} objects; {lake.duplicates(plan):,} duplicates by their "
            f"verdict, {lake.copies(plan):,} by the view; {lake.repairs():,} rows repaired",
        }
    return report.show(plan, facts, storm.happened + storm.hand.happened, operator.said, lines)


class _Operator:
    """Runs the operator's commands, and keeps what they said."""

    def __init__(self, stack: operate.Stack) -> None:
        self.said: list[Said] = []
        self._stack = stack

    def reconciles(self) -> None:
        """Table and lake, with nothing else repaired: the second time finds nothing."""
        self._run("reconcile", "repairs what differs", lambda it: it["repaired"] > 0)
        self._run("reconcile", "a second time finds nothing", lambda it: it["repaired"] == 0)

    def repairs(self) -> None:
        """What lies in the failure bucket, what was deleted; each a second time does nothing."""
        self._run(
            "redrive",
            "brings in what was given up, and makes nothing good that was refused",
            lambda it: it["written"] > 0 and it["closed"] == 0,
        )
        self._run("redrive", "a second time does nothing", lambda it: it["written"] == 0)
        # A stream that was begun again may have brought it back already.
        self._run("verify RESTORE=1", "brings back what was deleted in the storm", _whole)

    def restores(self) -> None:
        """The worst that a hand can do: the ends of all shards, with versions and rows."""
        self._run("verify", "finds that the ends of all shards are gone", _wrong, code=1)
        self._run("verify RESTORE=1", "brings them back from the streams", _whole)
        self._run("verify", "a second time finds nothing", _whole)
        self._run("reconcile", "finds nothing", lambda it: it["repaired"] == 0)

    def _run(
        self, command: str, expected: str, right: Callable[[Counts], bool], code: int = 0
    ) -> None:
        """Run a command. Raises CommandError where it said nothing that can be read."""
        name, *wishes = command.split()
        arguments = ["--restore"] if wishes else []
        with step(f"make {command}"):
            done = operate.run(self._stack, name, arguments, quiet=True)
        counts: Counts = {}
        for line in done.stdout.splitlines():
            if found := _FIGURES.fullmatch(line):
                counts |= json.loads(found[1])
        if not counts:
            last = [*done.stdout.splitlines(), *done.stderr.splitlines()] or ["no word"]
            raise CommandError(f"make {command} failed: {'; '.join(last[-3:])}")
        said = ", ".join(f"{key} {value}" for key, value in counts.items() if value)
        self.said.append(Said(command, expected, said, done.returncode == code and right(counts)))


def _wrong(counts: Counts) -> bool:
    return any(counts[name] for name in ("gaps", "deleted", "lost", "waiting"))


def _whole(counts: Counts) -> bool:
    return not _wrong(counts) and not counts["overlaps"]


def _garbage(running: System, plan: Plan) -> None:
    sam.client("kinesis", running.place).put_records(
        StreamName=running.deployed.outputs["StreamName"],
        Records=[
            {"Data": f"{plan.run} is no event, {number}".encode(), "PartitionKey": str(number)}
            for number in range(GARBAGE)
        ],
    )


def _wait_until_calm(running: System) -> None:
    since = time.time()
    while time.time() < since + CALM_S:
        try:
            status = read_status(running.poller_status.parent)
        except StateError:
            status = None
        sources = {it["source_arn"] for it in status["mappings"]} if status else set()
        if len(sources) > 1 and drained(status, since=since, sources=sources):
            return
        time.sleep(0.3)
    raise CommandError(f"The streams are not empty {CALM_S:.0f} s after the last fault.")


@contextmanager
def _lake(running: System) -> Iterator[Lake]:
    folder = Path(mkdtemp(prefix="lake-", dir=running.directory))
    try:
        lake = Lake(sam.client("s3", running.place), running.deployed.outputs["LakeBucket"], folder)
        try:
            yield lake
        finally:
            lake.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _items(dynamodb: Any, table: str) -> list[dict[str, Any]]:
    pages = dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return [item for page in pages for item in page["Items"]]
