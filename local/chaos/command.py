"""Send, storm, repair as an operator does, and count."""

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from local import operate, sam
from local.chaos.judge import Lake, Line
from local.chaos.plan import Plan
from local.chaos.school import School
from local.chaos.storm import Storm
from local.chaos.visitors import Visitors
from local.errors import LocalError
from local.poller.errors import StateError
from local.poller.status import drained, read_status
from local.progress import step
from local.replay.transport import HttpClient
from local.system import System

#: Records that are no events at all, straight on the stream.
GARBAGE = 20
#: Seconds until the streams must be empty after the storm.
CALM_S = 90.0


def run(running: System, plan: Plan) -> int:
    """Run one plan; print the report. Returns 1 where anything differs. Raises LocalError."""
    print(f"  seed {plan.seed}: SEED={plan.seed} sends the same and draws the same faults")
    place = running.place
    table = f"meridian-{place.stage}-appointments"
    dynamodb = sam.client("dynamodb", place)
    stack = operate.local_stack(place)
    visitors = Visitors(plan, running.deployed.write_key, lambda: HttpClient(running.url))
    school = School(plan, dynamodb, table, place.region)
    storm = Storm(plan, running)

    with step("events, changes and faults at once"):
        visitors.start()
        school.start()
        _garbage(running, plan)
        try:
            storm.blow()
        finally:
            storm.end()
        sent, written = visitors.finish(), school.finish()
    with step("the streams run empty"):
        _wait_until_calm(running)
    # Now that nothing more comes, only the comparison can tell.
    storm.delete_objects()

    lines: list[Line] = []
    said = [_operate(stack, "reconcile")]
    with _lake(running) as lake:
        lines += [
            (f"after reconcile: {name}", expected, found)
            for name, expected, found in lake.agreement(_items(dynamodb, table), place.region)
        ]
    said += [
        _operate(stack, "redrive"),
        _operate(stack, "verify", ["--restore"]),
        _operate(stack, "reconcile"),
    ]
    with step("counting the lake"), _lake(running) as lake:
        lines += lake.conserved()
        lines += lake.events(plan, sent, GARBAGE)
        lines += lake.changes(written)
        lines += lake.agreement(_items(dynamodb, table), place.region)
        facts = {
            "events": f"{len(sent.accepted):,} accepted in {sent.requests:,} requests, "
            f"{sent.repeated:,} of them sent twice, {sent.unanswered:,} without an answer",
            "changes": f"{len(written.own):,} of this region, {written.foreign:,} of another",
            "lake": f"{lake.objects:,} objects, {lake.duplicates(plan):,} duplicates recognised, "
            f"{lake.repairs():,} rows repaired",
        }
    return _report(plan, facts, storm, said, lines)


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
    raise LocalError(f"The streams are not empty {CALM_S:.0f} s after the last fault.")


def _operate(stack: operate.Stack, command: str, arguments: Sequence[str] = ()) -> str:
    """Run an operator's command; return what it said. Raises LocalError where it failed."""
    with step(f"make {command}"):
        done = operate.run(stack, command, arguments, quiet=True)
    if done.returncode != 0:
        last = [*done.stdout.splitlines(), *done.stderr.splitlines()] or ["no word"]
        raise LocalError(f"make {command} failed: {'; '.join(last[-3:])}")
    words = [line for line in done.stdout.splitlines() if not line.startswith("{")]
    return "\n".join(words)


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


def _report(
    plan: Plan, facts: dict[str, str], storm: Storm, said: list[str], lines: list[Line]
) -> int:
    print(f"\nChaos, seed {plan.seed}")
    for name, fact in facts.items():
        print(f"{name:<10}{fact}")
    print(f"\n{'fault':<46}{'times':>8}")
    for name, times in sorted(storm.happened.items()):
        print(f"{name:<46}{times:>8,}")
    print("\nWhat the operator's commands said")
    print("\n".join(said))
    print(f"\n{'counted by SQL over the objects':<52}{'expected':>9}{'found':>9}")
    for name, expected, found in lines:
        print(f"{name:<52}{expected:>9,}{found:>9,}  {'✓' if expected == found else '✗'}")
    wrong = [name for name, expected, found in lines if expected != found]
    if wrong:
        print(f"\n{len(wrong)} of {len(lines)} differ; SEED={plan.seed} runs the same again.")
        return 1
    print("\nNothing was lost, and nothing is there twice.")
    return 0
