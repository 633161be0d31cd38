"""A history of two Kafka clusters that write to one lake, drawn from a seed.

Producers choose the timestamps, topics are deleted and created again, and both clusters have a
partition of the same name. A batch has records of several partitions. A mapping delivers a failed
batch again with other boundaries; in provisioned mode it goes on at the offsets that the function
reports ("Configuring error handling controls for Kafka event sources", AWS Lambda Developer Guide).
"""

import base64
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from aws_emulator.simulator import Task
from stream_processor.ingest import arrival_times, invocation
from tests.unit.stream_processor.proof.disruptions import KAFKA_DISRUPTIONS
from tests.unit.stream_processor.proof.handlers import iso
from tests.unit.stream_processor.proof.lake_checker import (
    ExpectedRecord,
    InvariantError,
    RecordId,
    require,
)
from tests.unit.stream_processor.proof.seeded_history import SeededHistory, Step
from tests.unit.stream_processor.sample_records import accepted, header, packed, rejected

ARN: Final = "arn:aws:kafka:us-east-1:000000000000:cluster"
CLUSTERS: Final = (f"{ARN}/one/uuid-1", f"{ARN}/two/uuid-2")
PARTITIONS: Final = ("clicks-0", "clicks-1")
#: Timestamps that name no hour of the lake: none, 1970, the year 3000, and beyond any unit.
UNUSABLE: Final = (-1, 0, 32_503_680_000_000, 10**21, -(10**17))
MAX_DRAIN_STEPS: Final = 400
_HOUR_MS: Final = 3_600_000

type Json = dict[str, Any]


@dataclass(slots=True)
class Partition:
    """One partition: its records since the topic was created, and the mapping's next offset."""

    name: str
    cluster: str
    topic_number: int = 0
    records: list[Json] = field(default_factory=list)
    committed: int = 0


@dataclass(slots=True)
class Delivery:
    """A running invocation, and the offsets after the batch by partition and its topic."""

    task: Task
    ends: list[tuple[Partition, int, int]]


class KafkaHistory(SeededHistory):
    """A history of two Kafka clusters."""

    title = "Kafka histories"
    steps = 24

    @staticmethod
    def draw(rng: random.Random) -> set[str]:
        return {name for name in KAFKA_DISRUPTIONS if rng.random() < 0.6}

    def more_settings(self) -> dict[str, Any]:
        self.partial = "partial batch responses of Kafka" in self.drawn
        return {"kafka_partial_response": self.partial}

    def set_up(self) -> None:
        self.partitions = [Partition(it, arn) for arn in CLUSTERS for it in PARTITIONS]
        self.running: dict[str, Delivery] = {}
        #: Invocations that timed out and whose code still runs.
        self.late: list[Task] = []
        self.ids: dict[tuple[str, str, int, int], RecordId] = {}
        self.invocations = 0
        self.counts["partial batch responses of Kafka"] += self.partial

    # --- steps ------------------------------------------------------------------------------------

    def possible_steps(self) -> list[Step]:
        return [
            ("", 5, self.produce),
            ("", 10, lambda: self._deliver(self.rng.choice(CLUSTERS))),
            ("", 6, self._continue),
            ("topics created again", 1, self._recreate),
            ("rows lost", 1, lambda: self.aws.dynamodb.items.pop("checkpoints", None)),
            ("series of 409 responses", 1, self._conflict),
            ("invocations timed out", 2, self._time_out),
        ]

    def produce(self) -> None:
        # Both clusters can have a record with the same offset and time.
        timestamps = [self._timestamp() for _ in range(3)]
        for partition in self.partitions:
            for timestamp in timestamps[: self.rng.randint(0, 3)]:
                self._put(partition, timestamp)
        self.now += 1.2

    def _timestamp(self) -> int:
        now_ms = round(self.now * 1000)
        if "timestamps of any time" in self.drawn and self.rng.random() < 0.4:
            self.counts["timestamps of any time"] += 1
            return self.rng.choice(
                [*UNUSABLE, now_ms * 1000, now_ms - 40 * 24 * _HOUR_MS, now_ms + 5 * _HOUR_MS]
            )
        return now_ms - self.rng.choice([0, 0, 1_000, _HOUR_MS, 3 * _HOUR_MS])

    def _put(self, partition: Partition, timestamp: int) -> None:
        offset = len(partition.records)
        unique = f"{partition.cluster[-1]}{partition.name}t{partition.topic_number}"
        kind = self.rng.randrange(10)
        own = [f"{unique}-{offset}-{index}" for index in range(kind % 3)]
        resent = [f"{unique}-{max(offset - 2, 0)}-0"] if kind in (3, 6) else []
        identities: list[str | None] = [*own, *resent]
        bad = [rejected(index=9)] if kind == 5 else []
        events = [accepted(it, f"/{kind}") for it in identities if it]
        payload = packed(header(unique, received_at=iso(self.now), bot=kind == 4), events, bad)
        identities += [None] * len(bad)
        value: str | None = base64.b64encode(payload).decode()
        if kind == 9:
            # A tombstone, and a record that isn't one of the collector.
            value = self.rng.choice([None, base64.b64encode(b"\xff %d" % offset).decode()])
            identities = [None]
        topic, _, number = partition.name.rpartition("-")
        record = {
            "topic": topic,
            "partition": int(number),
            "offset": offset,
            "timestamp": timestamp,
            "timestampType": "CREATE_TIME",
            "value": value,
        }
        partition.records.append(record)
        self._expect(partition, record, identities)

    def _expect(self, partition: Partition, record: Json, identities: Sequence[str | None]) -> None:
        (batch,) = invocation.stream_batches(_event(partition.cluster, {partition.name: [record]}))
        (parsed,) = batch.records
        shard = self.checker.shard(batch.stream, batch.shard)
        usable = record["timestamp"] not in UNUSABLE
        require(
            usable or parsed.arrived_ms == arrival_times.FIRST_MS,
            f"the timestamp {record['timestamp']} has another hour than the first",
        )
        known = self.checker.expected.get((shard, parsed.sequence))
        require(
            known is None or known.identities in ((None,), ()),
            f"two records of {shard} have the same number",
        )
        self.checker.expect(
            batch.stream,
            batch.shard,
            parsed.sequence,
            ExpectedRecord(parsed.arrived_ms, tuple(identities)),
        )
        record_key = (partition.cluster, partition.name, partition.topic_number, record["offset"])
        self.ids[record_key] = (shard, parsed.sequence)

    def _recreate(self) -> None:
        """Delete a topic and create it again: its partitions start at offset 0."""
        cluster = self.rng.choice(CLUSTERS)
        for partition in self.partitions:
            if partition.cluster == cluster:
                partition.topic_number += 1
                partition.records, partition.committed = [], 0

    def _conflict(self) -> None:
        self.aws.s3.conflicts = self.rng.randint(1, 12)

    # --- deliveries -------------------------------------------------------------------------------

    def _deliver(self, cluster: str, *, faulty: bool = True) -> None:
        self._settle(cluster)
        if cluster in self.running:
            return
        count = self.rng.randint(1, 6)
        batch: dict[str, list[Json]] = {}
        ends = []
        for partition in self.partitions:
            if partition.cluster == cluster and self.rng.random() < 0.8:
                end = min(partition.committed + count, len(partition.records))
                ends.append((partition, partition.topic_number, end))
                if records := partition.records[partition.committed : end]:
                    batch[partition.name] = records
        if not batch:
            return
        self.invocations += 1
        event = json.dumps(_event(cluster, batch))
        task = Task(self.invocations, self.handle, event, self.decide)
        self.running[cluster] = Delivery(task, ends)
        self._run(task, faulty=faulty)
        self._settle(cluster)

    def _settle(self, cluster: str) -> None:
        delivery = self.running.get(cluster)
        if delivery is None or not delivery.task.done:
            return
        del self.running[cluster]
        outcome = delivery.task.outcome
        if outcome.kind != "returned":
            return
        failures = {
            item["itemIdentifier"]["partition"]: item["itemIdentifier"]["offset"]
            for item in json.loads(outcome.body or b"{}")["batchItemFailures"]
        }
        # "Without ReportBatchItemFailures, Lambda ignores the response."
        for partition, topic_number, end in delivery.ends:
            reached = min(failures.get(partition.name, end), end) if self.partial else end
            if topic_number == partition.topic_number:
                self._acknowledge(partition, reached)

    def _acknowledge(self, partition: Partition, reached: int) -> None:
        for offset in range(partition.committed, reached):
            record_key = (partition.cluster, partition.name, partition.topic_number, offset)
            self.acknowledged.add(self.ids[record_key])
        partition.committed = max(partition.committed, reached)

    def _time_out(self) -> None:
        if self.running:
            cluster = self.rng.choice(sorted(self.running))
            self.late.append(self.running.pop(cluster).task)

    def _continue(self) -> None:
        if tasks := self.open_tasks():
            self._run(self.rng.choice(tasks), faulty=True)
        for cluster in CLUSTERS:
            self._settle(cluster)

    def _run(self, task: Task, *, faulty: bool) -> None:
        self.run_task(task, faulty=faulty)
        self.checker.read_new_objects()

    def open_tasks(self) -> list[Task]:
        tasks = [*self.late, *(it.task for it in self.running.values())]
        return [task for task in tasks if not task.done]

    def drain(self) -> None:
        """Deliver everything that is left without faults; late invocations end first or last."""
        self.aws.s3.conflicts = 0
        late_first = self.rng.random() < 0.5
        for task in self.open_tasks():
            if late_first or task not in self.late:
                self._run(task, faulty=False)
        for _ in range(MAX_DRAIN_STEPS):
            if all(it.committed == len(it.records) for it in self.partitions):
                break
            for cluster in CLUSTERS:
                self._deliver(cluster, faulty=False)
        else:
            raise InvariantError("stuck: the topics weren't processed to their ends")
        for task in self.open_tasks():
            self._run(task, faulty=False)


def _event(cluster: str, records: dict[str, list[Json]]) -> Json:
    return {
        "eventSource": "aws:kafka",
        "eventSourceArn": cluster,
        "bootstrapServers": "b-1:9092,b-2:9092",
        "records": records,
    }
