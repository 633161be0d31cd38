"""One history: streams, their mappings, operators and faults, drawn from a seed.

The mappings obey the emulator's batching rules (aws_emulator/simulator). An invocation or an
operator's command can pause at any call and continue at any later time, even after its mapping gave
up waiting: that covers a request that takes effect after its sender is gone.
"""

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from aws_emulator.event_sources.shard_processor import Discard
from aws_emulator.simulator import ShardReader, SimulatedMapping, SimulatedShard, Task
from stream_processor.repair.redrive import FAILURES as DOCUMENTS
from stream_processor.repair.redrive import FailedBatches
from stream_processor.repair.verify import Verifier
from stream_processor.storage.lake_keys import events_stream
from tests.unit.stream_processor.fake_streams import FakeStreams
from tests.unit.stream_processor.fakes import FAILURES, SETTINGS
from tests.unit.stream_processor.proof.disruptions import (
    DISRUPTIONS,
    MAX_AGE_S,
    ONCE_PER_HISTORY,
    draw_config,
)
from tests.unit.stream_processor.proof.lake_checker import (
    ExpectedRecord,
    InvariantError,
    RecordId,
)
from tests.unit.stream_processor.proof.seeded_history import START, SeededHistory, Step

SHARD: Final = "shardId-000000000000"
STREAMS: Final = (events_stream(SETTINGS.stage), "other")
MAX_DRAIN_STEPS: Final = 200
#: More than the attempts of one PUT, so that some series outlast it.
MAX_CONFLICTS: Final = 12


@dataclass(slots=True)
class Reading:
    """One mapping with the name of its stream, and the discards that were stored as documents."""

    stream: str
    simulation: SimulatedMapping
    stored: int = 0


def draw_disruptions(rng: random.Random) -> set[str]:
    """Draw the names of a history's disruptions: the first draw of its seed."""
    return {name for name in DISRUPTIONS if rng.random() < 0.6}


class History(SeededHistory):
    """A history of Kinesis streams, their mappings and operators."""

    title = "histories"
    steps = 26
    draw = staticmethod(draw_disruptions)

    def set_up(self) -> None:
        self.shards = {name: SimulatedShard(SHARD, [], closed=False) for name in STREAMS}
        self.operators: list[Task] = []
        #: The records of each failure document, by its key.
        self.documents: dict[str, set[RecordId]] = {}
        two_streams = "two streams with equal shards and sequence numbers" in self.drawn
        streams = [STREAMS[0], *STREAMS[1:] * two_streams]
        streams += [STREAMS[0]] * ("two mappings of a stream" in self.drawn)
        self.readings = [Reading(name, self._mapping(name)) for name in streams]
        self.counts.update(self.drawn & ONCE_PER_HISTORY)

    # --- steps ------------------------------------------------------------------------------------

    def possible_steps(self) -> list[Step]:
        return [
            ("", 4, self.produce),
            ("", 10, self._deliver),
            ("", 6, self._continue),
            ("redrives beside the function", 2, self._redrive),
            ("restores beside the function", 1, self._restore),
            ("filters changed", 1, self._change_filter),
            ("waits around the maximum record age", 2, self._wait),
            ("series of 409 responses", 1, self._conflict),
            ("rows lost", 1, lambda: self.aws.dynamodb.items.pop("checkpoints", None)),
            ("mappings restarted from an older checkpoint", 1, self._restart),
            ("mappings recreated at TRIM_HORIZON", 1, self._recreate),
            ("batches delivered twice at once", 2, lambda: self._deliver(twice=True)),
            ("invocations timed out", 2, self._time_out),
        ]

    def produce(self) -> None:
        for name, shard in self.shards.items():
            for _ in range(self.rng.randint(1, 4)):
                sequence = self.handler.first + len(shard.records) * self.handler.step
                arrived = round(self.now + self._drift(), 3)
                # Often a copy of an earlier event.
                kind, key = self.rng.choice([*range(10), 3, 6, 6]), f"key-{self.rng.randrange(4)}"
                record, identities = self.handler.stream_record(
                    name, SHARD, sequence, arrived, kind, key
                )
                expected = ExpectedRecord(round(record.arrived * 1000), tuple(identities))
                self.checker.expect(name, SHARD, sequence, expected)
                shard.records = [*shard.records, record]
                self.now += 0.4

    def _drift(self) -> float:
        name = "arrival times of other hours and days"
        if name in self.drawn and self.rng.random() < 0.3:
            self.counts[name] += 1
            return self.rng.choice([-3.0, -3_600.0, -7_200.0, -86_400.0, -40 * 86_400.0, 7_200.0])
        return self.rng.choice([0.0, 0.0, -1.0, -60.0])

    def _deliver(self, *, twice: bool = False) -> None:
        reading = self.rng.choice(self.readings)
        for reader in self._readers(reading):
            self._read(reading, reader, self.rng.randint(0, 7), faulty=True, twice=twice)

    def _read(
        self,
        reading: Reading,
        reader: ShardReader,
        count: int,
        *,
        faulty: bool = False,
        twice: bool = False,
    ) -> None:
        simulation = reading.simulation
        wake = reader.processor.wake_at() or 0.0
        self.now = max(self.now, wake, *(it.arrived for it in reader.shard.records), 0.0)
        simulation.now = self.now
        simulation.read(reader, reader.next + count)
        for action in reader.processor.due_actions(self.now):
            if isinstance(action, Discard):
                simulation.send_discard(reader, action)
                continue
            call = simulation.call(reader, action)
            if twice:
                self._run(simulation.call_duplicate(reader, action), faulty=faulty)
            self._run(call.task, faulty=faulty)
        self._settle(reading)

    def _continue(self) -> None:
        if tasks := self.open_tasks():
            self._run(self.rng.choice(tasks), faulty=True)
            self._settle_all()

    def _time_out(self) -> None:
        calls = [(it, call) for it in self.readings for call in it.simulation.running]
        if calls:
            reading, call = self.rng.choice(calls)
            reading.simulation.time_out(call)

    def _wait(self) -> None:
        waits = (31, 900, 3_600, MAX_AGE_S - 600, MAX_AGE_S - 1, MAX_AGE_S + 1)
        self.now += self.rng.choice(waits)

    def _conflict(self) -> None:
        self.aws.s3.conflicts = self.rng.randint(1, MAX_CONFLICTS)

    def _restart(self) -> None:
        behind = self.rng.randint(1, 4)
        self.rng.choice(self.readings).simulation.restart(lambda: behind)

    def _recreate(self) -> None:
        self.rng.choice(self.readings).simulation.recreate()

    def _change_filter(self) -> None:
        reading = self.rng.choice(self.readings)
        reading.simulation.config = draw_config(self.rng, self.drawn)
        reading.simulation.restart(lambda: 1)

    # --- operators --------------------------------------------------------------------------------

    def _redrive(self, *, faulty: bool = True) -> None:
        self._store_documents()
        self._operate(lambda: FailedBatches(self.aws.app()).run(), faulty=faulty)

    def _restore(self) -> None:
        """Run `verify --restore`, which reads the stage's own stream."""
        streams = FakeStreams()
        streams.put({"Records": [it.event for it in self.shards[STREAMS[0]].records]})
        reader = streams.streams()
        self._operate(
            lambda: Verifier(self.aws.app(), reader, lambda _: None).run(restore=True), faulty=True
        )

    def _operate(self, command: Callable[[], object], *, faulty: bool) -> None:
        error = self.clock_error()

        def run(_: object) -> dict[str, Any]:
            self.clocks.start(error)
            command()
            return {}

        task = Task(-1, run, "{}", self.decide)
        self.operators.append(task)
        self._run(task, faulty=faulty)
        self._settle_all()

    def _store_documents(self) -> None:
        """Store the discarded batches as an S3 destination does."""
        for reading in self.readings:
            discards = reading.simulation.report.discards
            for discard in discards[reading.stored :]:
                key = f"{DOCUMENTS}uuid/{len(self.documents):06d}"
                document = {**json.loads(discard.document), "payload": discard.event}
                self.aws.s3.objects[FAILURES, key] = (json.dumps(document).encode(), {})
                self.documents[key] = {
                    (self.checker.shard(reading.stream, SHARD), int(sequence))
                    for sequence in discard.sequence_numbers
                }
                self.counts["batches discarded"] += 1
            reading.stored = len(discards)

    # --- the function -----------------------------------------------------------------------------

    def _run(self, task: Task, *, faulty: bool) -> None:
        """Run a task, and check the entries that it wrote alone."""
        is_alone = not task.threaded and set(self.open_tasks()) <= {task}
        unknown = self.checker.logs_unknown_to_rows()
        self.run_task(task, faulty=faulty)
        new = self.checker.read_new_objects()
        if is_alone and task.done:
            self.checker.check_beside(new, unknown)

    # --- outcomes ---------------------------------------------------------------------------------

    def _settle_all(self) -> None:
        for reading in self.readings:
            self._settle(reading)
        self.operators = [task for task in self.operators if not task.done]
        # An operator's command deletes a document whose records are in the lake.
        remaining = set(self.aws.s3.list_keys(FAILURES))
        for key in self.documents.keys() - remaining:
            self.acknowledged |= self.documents[key]

    def _settle(self, reading: Reading) -> None:
        simulation = reading.simulation
        for call in list(simulation.running):
            simulation.settle(call)
        simulation.zombies[:] = [task for task in simulation.zombies if not task.done]
        for reader in list(simulation.readers.values()):
            simulation.retire(reader)
        delivered = simulation.report.delivered.get(SHARD, [])
        shard = self.checker.shard(reading.stream, SHARD)
        self.acknowledged |= {(shard, int(number)) for number in delivered}

    def open_tasks(self) -> list[Task]:
        tasks = [task for task in self.operators if not task.done]
        for reading in self.readings:
            tasks += reading.simulation.zombies
            tasks += [call.task for call in reading.simulation.running]
        return [task for task in tasks if not task.done]

    def _readers(self, reading: Reading) -> Iterator[ShardReader]:
        reading.simulation.start_shards()
        yield from list(reading.simulation.readers.values())

    # --- the end ----------------------------------------------------------------------------------

    def drain(self) -> None:
        """Run everything that is left without faults: paused tasks first, last or between."""
        for shard in self.shards.values():
            shard.closed = True
        self.aws.s3.conflicts = 0
        running = [call.task for it in self.readings for call in it.simulation.running]
        late = [task for task in self.open_tasks() if task not in running]
        late = late if self.rng.random() < 0.5 else self._finish(late)
        self._finish(running)
        for _ in range(MAX_DRAIN_STEPS):
            self._settle_all()
            self._store_documents()
            if self.aws.s3.list_keys(FAILURES):
                self._redrive(faulty=False)
            elif all(reading.simulation.done for reading in self.readings):
                break
            for reading in self.readings:
                for reader in self._readers(reading):
                    self._read(reading, reader, 99)
            self.now += 31
        else:
            raise InvariantError("stuck: the streams weren't processed to their ends")
        self._finish(late)
        self._settle_all()

    def _finish(self, tasks: list[Task]) -> list[Task]:
        for task in tasks:
            self._run(task, faulty=False)
        return []

    # --- mappings ---------------------------------------------------------------------------------

    def _mapping(self, stream: str) -> SimulatedMapping:
        shards = [self.shards[stream]]
        simulation = SimulatedMapping(
            shards, draw_config(self.rng, self.drawn), self.handle, self.decide
        )
        simulation.now = START
        return simulation
