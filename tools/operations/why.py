"""`make why`: where the events with an ID are, and why.

ID is a messageId, the request ID of CloudFront, a userId or an anonymousId. The command looks in
every Region of the system of `make up`, or of the stage STAGE on AWS (REGION= for one Region).
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aws_emulator.errors import CommandError
from tools.cli import exit_code
from tools.deployment.environments import environments_of_stage, layout_of
from tools.operations import commands
from tools.operations.commands import OperatedStack
from tools.paths import STATE
from tools.stack import RUNNING_SYSTEM_FILE, find_running_stack

#: Copies that are printed; the summary counts all.
MAX_COPIES: Final = 20


@dataclass(frozen=True)
class RegionalCopy:
    """A copy of an event in a Region, with the `location` of trace_events.EventCopy."""

    region: str
    location: str
    key: str
    row: Mapping[str, Any]

    @property
    def event(self) -> tuple[str, str]:
        """The source and the messageId."""
        return str(self.row.get("source") or ""), str(self.row.get("message_id") or "")

    @property
    def position(self) -> tuple[str, str, str, int]:
        """The Region, shard, sequence number and index: a redrive writes a row at the same one."""
        row = self.row
        return self.region, row["shard_id"], row["sequence_number"], row["record_index"]


def explain(copies: Sequence[RegionalCopy]) -> Iterator[str]:
    """Yield lines: a count by state, then each copy with its state and what to do."""
    states = {id(copy): _state(copy, copies) for copy in copies}
    counts: dict[str, int] = {}
    for name, _ in states.values():
        counts[name] = counts.get(name, 0) + 1
    yield ", ".join(f"{number:,} {name}" for name, number in counts.items())
    newest = sorted(copies, key=lambda it: str(it.row.get("received_at") or ""), reverse=True)
    for copy in newest[:MAX_COPIES]:
        yield ""
        yield from _lines(copy, *states[id(copy)])
    if len(copies) > MAX_COPIES:
        yield ""
        yield f"The newest {MAX_COPIES} of {len(copies):,} rows. `make sql` shows all of them."


def _state(copy: RegionalCopy, copies: Sequence[RegionalCopy]) -> tuple[str, str]:
    """Return the state of a copy, and a sentence that explains it."""
    row = copy.row
    if copy.location == "stream":
        return "on the way", (
            "The record is on the stream, and the function hasn't written it yet. If this lasts "
            "for more than a minute, `make verify` says whether the function has passed it."
        )
    if copy.location == "erased":
        return "erased", (
            "`make erase` removed it from the lake. The stream has the record until it expires "
            "after seven days."
        )
    if copy.location == "suppressed":
        return "suppressed", (
            "The function stored its position only: the person is suppressed (`make suppress`). "
            "The stream has the record until it expires after seven days."
        )
    if copy.location == "failures":
        return "discarded", (
            "Lambda discarded its batch after the last attempt. `make redrive` writes it to the "
            "lake."
        )
    if row["verdict"] == "bad":
        return _bad_state(copy, copies)
    others = [it for it in copies if it.event == copy.event and it is not copy]
    good = [it for it in others if it.location == "lake" and it.row["verdict"] == "good"]
    if row["verdict"] == "duplicate":
        if not good:
            return "duplicate", (
                "The first copy arrived before the hours that were read. FROM=<date> finds it."
            )
        return "duplicate", f"The first copy is in {_where(good[0])}."
    if good:
        return "good", _sentence_of_copies(copy, good)
    return "good", str(row.get("reason_code") or "") and (
        f"The collector replaced a value: {row['reason_code']}."
    )


def _sentence_of_copies(copy: RegionalCopy, others: Sequence[RegionalCopy]) -> str:
    """Return where another good copy of an event is, and which one the views have."""
    elsewhere = [it for it in others if it.region != copy.region]
    if elsewhere:
        other, view = min(elsewhere, key=_order), "events_once_all_regions"
        sentence = (
            f"The lake of {other.region} has a copy too: the client sent the event to two "
            "Regions. Count each messageId once in queries over Regions."
        )
    else:
        other, view = min(others, key=_order), "events_once"
        sentence = (
            f"Another copy is in {_where(other)}: it came to another shard, or after the window "
            "of the duplicates."
        )
    is_first = _order(copy) < min(map(_order, others))
    return f"{sentence} `{view}` has {'this' if is_first else 'that'} copy."


def _order(copy: RegionalCopy) -> tuple[str, str, str, str, str, int]:
    """Return by what the views choose the first copy: the hour, the time and the position."""
    hour, row = copy.key.rpartition("/")[0], copy.row
    received = str(row.get("received_at") or "")
    position = row["shard_id"], row["sequence_number"], row["record_index"]
    return hour, received, copy.region, *position


def _bad_state(copy: RegionalCopy, copies: Sequence[RegionalCopy]) -> tuple[str, str]:
    reason = f"{copy.row['reason_code']}: {copy.row['reason']}"
    again = [
        it
        for it in copies
        if it.position == copy.position and it.location == "lake" and it.row["verdict"] != "bad"
    ]
    if again:
        return "bad, closed", f"{reason} A redrive has accepted it: {_where(again[0])}."
    return "bad", f"{reason} After a fix, `make redrive` reads it again."


def _where(copy: RegionalCopy) -> str:
    return f"{copy.key} ({copy.region})" if copy.key else copy.region


def _lines(copy: RegionalCopy, state: str, sentence: str) -> Iterator[str]:
    row = copy.row
    name = row.get("event") or row.get("page_path") or ""
    title = " ".join(filter(None, [row.get("type"), json.dumps(name) if name else ""]))
    yield f"{state}: {row.get('message_id') or 'no messageId'}" + (f" ({title})" if title else "")
    if sentence:
        yield f"  {sentence}"
    edge = row.get("edge_region")
    by = f"the edge in {edge}" if edge else "the stream; the record names no edge location"
    failover = ", after failover" if row.get("failover") else ""
    yield f"  received   {row.get('received_at') or 'unknown'} by {by}"
    yield f"  stream     {row.get('stream_region') or copy.region}{failover}"
    yield f"  record     {row['shard_id']} {row['sequence_number']}, row {row['record_index']}"
    if copy.key:
        yield f"  object     {_where(copy)}"
    for label, column in (
        ("source", "source"),
        ("request", "request_id"),
        ("user", "user_id"),
        ("visitor", "anonymous_id"),
    ):
        if row.get(column):
            yield f"  {label:<10} {row[column]}"


def stacks_of(
    environment: Mapping[str, str], directory: Path = STATE / "up"
) -> list[OperatedStack]:
    """Return the stacks with a stream: of STAGE on AWS, or else of the system of `make up`.

    Raises:
        CommandError: No system is running, or a stack can't be described.
    """
    stage = environment.get("STAGE")
    if environment.get("REGION"):
        return [commands.select_stack(environment, up=directory)]
    if stage:
        siblings = environments_of_stage(stage)
        if not siblings:
            return [commands.select_stack(environment)]
        layout = layout_of(siblings[0])
        return [
            commands.aws_stack(it.stack_name, it.region) for it in (layout.home, *layout.others)
        ]
    home = commands.select_stack(environment, up=directory)
    record = json.loads((directory / RUNNING_SYSTEM_FILE).read_text())
    others = [find_running_stack(directory, region) for region in record["regions"][1:]]
    return [home, *(commands.local_stack(it) for it in others if it is not None)]


def find(
    stacks: Sequence[OperatedStack], wanted: str, arguments: Sequence[str]
) -> list[RegionalCopy]:
    """Return the copies of the events with an ID in each Region.

    Raises:
        CommandError: A Region's lake or stream can't be read.
    """
    copies = []
    for stack in stacks:
        done = commands.run(stack, "why", [*arguments, "--", wanted], capture=True)
        if done.returncode:
            raise CommandError(
                f"Can't look for the ID in {stack.region}: {done.stderr.strip()} Check STAGE=, "
                "REGION= and your credentials."
            )
        copies += [RegionalCopy(stack.region, **it) for it in json.loads(done.stdout)]
    return copies


def main(environment: Mapping[str, str] = os.environ, directory: Path = STATE / "up") -> int:
    """Print where the events with ID are. Returns 1 if there are none.

    Raises:
        CommandError: ID is missing, no system is running, or a Region can't be read.
    """
    wanted = environment.get("ID", "").strip()
    if not wanted:
        raise CommandError("Run `make why` with ID=<messageId, request ID, userId or anonymousId>.")
    since, hours = environment.get("FROM"), environment.get("HOURS")
    options = [f"--from={since}"] if since else [f"--hours={hours}"] if hours else []
    stacks = stacks_of(environment, directory)
    copies = find(stacks, wanted, options)
    if copies:
        print("\n".join(explain(copies)))
        return 0
    regions = ", ".join(it.region for it in stacks)
    print(
        f"No event has the ID {wanted} in the lakes, the streams and the failures buckets of "
        f"{regions}.\nThe collector stores nothing of a request that it answered with 4xx "
        "(`make trace ID=<x-amz-cf-id>`),\nof a suppressed person (`make suppress`) and of an "
        "event without consent. An erased row (`make erase`)\nhas no ID. FROM=<date> looks further "
        "back than a day."
    )
    return 1


if __name__ == "__main__":
    raise SystemExit(exit_code(main))
