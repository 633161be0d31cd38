"""What both doors share: a batch of one shard through the chained writer, and AWS's answer."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import pyarrow as pa

import telemetry
from stream_processor import chain, lake, parquet
from stream_processor.chain import Commit, Draft, Found, Mark, Outcome, Summary
from stream_processor.dynamodb import HighWater, Table
from stream_processor.errors import ConservationError, UnfinishedError
from stream_processor.lake import Prefix
from stream_processor.s3 import Bucket
from stream_processor.schema import BAD, DUPLICATE, GOOD
from stream_processor.settings import Settings
from stream_processor.source import Batch

#: Left for the object that is being written when time runs out, and for the answer.
RESERVE_MS: Final = 30_000

type InTime = Callable[[], bool]
type Failures = list[str]


@dataclass(frozen=True, slots=True)
class House:
    """Where everything is: made once per process, or by a test over its fakes."""

    settings: Settings
    lake: Bucket
    checkpoints: Table
    live: Table
    appointments: Table
    failures: Bucket

    @classmethod
    def of(cls, settings: Settings) -> "House":
        """The house that the settings name."""
        return cls(
            settings,
            Bucket(settings.lake_bucket),
            Table(settings.checkpoints_table),
            Table(settings.live_table),
            Table(settings.appointments_table),
            Bucket(settings.failures_bucket),
        )


class ShardChain[T]:
    """The chain of one shard: its row, and its objects in the lake."""

    def __init__(
        self, house: House, name: str, names: Prefix, tally_of: Callable[[pa.Table], T]
    ) -> None:
        self.name = name
        self.names = names
        self._bucket = house.lake
        self._row = HighWater(house.checkpoints, name)
        self._hours = house.settings.retention_hours
        self._tally_of = tally_of

    def mark(self) -> Mark | None:
        """How far the chain is. A row that was lost is rebuilt from the lake."""
        mark = self._row.read()
        if mark is None:
            mark = lake.last_committed(self._bucket, self.names, datetime.now(UTC), self._hours)
            if mark is not None:
                telemetry.error("row rebuilt", chain=self.name, high=str(mark.high))
                telemetry.count("RowsRebuilt", 1)
                self._row.raise_to(mark)
        return mark

    def raise_to(self, mark: Mark) -> None:
        """Move the row on."""
        self._row.raise_to(mark)

    def between(self, mark: Mark, first: chain.Record) -> list[str]:
        """Objects that the row does not know of yet, before `first`."""
        return lake.between(self._bucket, self.names, mark, first)

    def found(self, key: str) -> Found:
        """What lies under a name."""
        return lake.summary(self._bucket, key)

    def create(self, key: str, draft: Draft[T]) -> Found | None:
        """Write an object, or say what lies there already."""
        return lake.create(self._bucket, key, draft)

    def tally(self, key: str) -> T:
        """Count an object of the lake from its rows."""
        return self._tally_of(parquet.read(self._bucket.read(key)))


def draft_of[T](
    table: pa.Table,
    units: int,
    counts: Mapping[str, int],
    records: Sequence[chain.Record],
    previous: int | None,
    tally: T,
) -> Draft[T]:
    """Make an object of finished rows. ConservationError where rows and records disagree.

    `units` is what the records say they hold, `counts` what was made of it, and the table what
    would be written: three countings that must agree before anything is.
    """
    if not units == sum(counts.values()) == len(table):
        telemetry.count("ConservationErrors", 1)
        raise ConservationError(
            f"{units} came in, {dict(counts)} were judged, {len(table)} rows would be written"
        )
    body = parquet.write(table)
    summary = Summary(
        first=records[0].sequence,
        last=records[-1].sequence,
        arrived_ms=records[0].arrived_ms,
        previous=previous,
        records=len(records),
        good=counts[GOOD],
        bad=counts[BAD],
        duplicate=counts[DUPLICATE],
    )
    return Draft(summary, body, hashlib.sha256(body).hexdigest(), tally)


def report[T](chain_name: str, outcome: Outcome[T], batch: Sequence[chain.Record]) -> None:
    """Say in logs and metrics what became of a batch."""
    for commit in outcome.commits:
        _report_commit(chain_name, commit)
    if outcome.unwritten is not None:
        telemetry.warning(
            "batch cut short",
            chain=chain_name,
            unwritten=str(outcome.unwritten),
            error=repr(outcome.error) if outcome.error else "time",
        )
        telemetry.count("BatchesCutShort", 1)
    elif batch:
        age = datetime.now(UTC).timestamp() - batch[0].arrived_ms / 1000
        telemetry.seconds("ArrivalToLake", max(age, 0.0))


def _report_commit[T](chain_name: str, commit: Commit[T]) -> None:
    summary = commit.summary
    telemetry.info(
        "object adopted" if commit.adopted else "object written",
        chain=chain_name,
        key=commit.key,
        records=summary.records,
        good=summary.good,
        bad=summary.bad,
        duplicate=summary.duplicate,
        bytes=commit.size,
    )
    if commit.adopted:
        # Its rows were counted by whoever wrote it.
        telemetry.count("ObjectsAdopted", 1)
        return
    rows = summary.good + summary.bad + summary.duplicate
    telemetry.count("ObjectsWritten", 1)
    telemetry.count("BytesWritten", commit.size)
    for name, value in (
        ("RowsIn", rows),
        ("RowsGood", summary.good),
        ("RowsBad", summary.bad),
        ("RowsDuplicate", summary.duplicate),
    ):
        telemetry.count(name, value)


def answer[R: chain.Record](
    batches: Sequence[Batch[R]], run: Callable[[Batch[R]], int | None]
) -> dict[str, Any]:
    """Run the batches, and say in AWS's words what is left.

    `run` gives the first sequence number that is left, or None. "If the batchItemFailures array
    contains multiple items, Lambda uses the record with the lowest sequence number as the
    checkpoint" (Configuring partial batch response with Kinesis and Lambda): one item says it all,
    and what lies behind it is delivered again.
    """
    failures: Failures = []
    telemetry.count("Batches", len(batches))
    for batch in batches:
        left = run(batch)
        if left is None:
            continue
        if batch.item is None:
            raise UnfinishedError(f"{batch.stream} {batch.shard} is left from {left} on")
        failures.append(batch.item(left))
    return {"batchItemFailures": [{"itemIdentifier": item} for item in failures]}


def in_time(context: Any) -> InTime:
    """Tell whether there is time for another object."""
    return lambda: context.get_remaining_time_in_millis() > RESERVE_MS
