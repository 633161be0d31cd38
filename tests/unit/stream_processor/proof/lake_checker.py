"""Compares the entries in the lake with the records that were put on the streams."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from stream_processor.rows.lake_schema import BAD, DUPLICATE, GOOD
from stream_processor.storage import log_names, log_rows, parquet
from stream_processor.storage.lake_keys import EVENTS, events_shard
from stream_processor.storage.lake_types import ObjectSummary
from stream_processor.storage.log_names import LogName
from tests.unit.stream_processor.fakes import SETTINGS, FakeAws

#: The columns of both kinds of rows; a file has one kind.
COLUMNS: Final = [
    *("verdict", "message_id", "shard_id", "sequence_number", "record_index"),
    *("source", "received_at", "page_path", "country", "bot"),
    *("op", "pk", "version"),
]

#: (shard in keys, sequence number)
type RecordId = tuple[str, int]


class InvariantError(AssertionError):
    """Raised when an invariant of the lake doesn't hold."""


def require(holds: object, breach: str) -> None:
    """Raise InvariantError if an invariant doesn't hold."""
    if not holds:
        raise InvariantError(breach)


@dataclass(slots=True)
class ExpectedRecord:
    """One record on a stream, and the rows that it must have.

    `identities` holds the `identity` of each row; None for a row that must be bad.
    """

    arrived_ms: int
    identities: tuple[str | None, ...]


@dataclass(slots=True)
class CheckedEntry:
    """An entry that was read: its summary, and the records with rows."""

    summary: ObjectSummary
    records: set[int]


@dataclass
class LakeChecker:
    """Checks the lake."""

    aws: FakeAws
    prefix: str
    expected: dict[RecordId, ExpectedRecord] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    #: The entry that holds a record.
    key_of: dict[RecordId, str] = field(default_factory=dict)
    logs: dict[LogName, list[CheckedEntry]] = field(default_factory=dict)
    #: The logs in which an identity is good.
    good: dict[str, set[LogName]] = field(default_factory=dict)
    #: The good events of an entry that were good in an hour beside before, with its log.
    good_beside: dict[str, list[tuple[str, LogName]]] = field(default_factory=dict)
    _bodies: dict[str, bytes] = field(default_factory=dict)

    def shard(self, stream: str, shard: str) -> str:
        """Return the name of a shard in keys."""
        return events_shard(SETTINGS.stage, stream, shard) if self.prefix == EVENTS else shard

    def expect(self, stream: str, shard: str, sequence: int, record: ExpectedRecord) -> None:
        """Add a record that was put on a stream."""
        self.expected[self.shard(stream, shard), sequence] = record

    def read_new_objects(self) -> list[str]:
        """Check the entries that were created since the last call; return their keys."""
        created = self.aws.s3.created
        objects = list(self.aws.objects(f"{self.prefix}/"))
        new: list[str] = []
        for key, body, metadata in sorted(objects, key=lambda it: created["lake", it[0]]):
            before = self._bodies.setdefault(key, body)
            require(before == body, f"{key} was overwritten")
            if before is body and key not in new and not self._is_known(key):
                new.append(key)
                self._add_entry(key, body, metadata)
        return new

    def _is_known(self, key: str) -> bool:
        entry = log_names.entry_of(key)
        require(entry is not None, f"{key} isn't named after a log and a number")
        assert entry is not None
        return entry[1] < len(self.logs.get(entry[0], []))

    def _add_entry(self, key: str, body: bytes, metadata: dict[str, str]) -> None:
        entry = log_names.entry_of(key)
        assert entry is not None
        log, number = entry
        entries = self.logs.setdefault(log, [])
        require(number == len(entries), f"{key}: an entry before it is missing")
        rows = parquet.read(body, COLUMNS).to_pylist()
        summary = ObjectSummary.parse(metadata)
        records = self._check_records(key, log, rows)
        self._check_summary(key, summary, rows, records, entries)
        self._check_verdicts(key, log, rows)
        entries.append(CheckedEntry(summary, records))
        self.rows += [{**row, "key": key} for row in rows]

    def _check_records(self, key: str, log: LogName, rows: list[dict[str, Any]]) -> set[int]:
        """Check that the rows are those of records of this log that no other entry holds."""
        counts = Counter(int(row["sequence_number"]) for row in rows)
        for sequence, count in counts.items():
            record = self.expected.get((log.shard, sequence))
            here = self.describe(log.shard, sequence)
            require(record is not None, f"{here} isn't of the shard of {key}")
            assert record is not None
            require(
                LogName.of(self.prefix, log.shard, record.arrived_ms) == log,
                f"{here} arrived in another hour than that of {key}",
            )
            require(
                count == len(record.identities),
                f"{count} of {len(record.identities)} rows of {here} are in {key}",
            )
            other = self.key_of.setdefault((log.shard, sequence), key)
            require(other == key, f"in the lake twice: {here}")
        return set(counts)

    def _check_summary(
        self,
        key: str,
        summary: ObjectSummary,
        rows: list[dict[str, Any]],
        records: set[int],
        entries: list[CheckedEntry],
    ) -> None:
        require(records, f"{key} is empty")
        verdicts = Counter(row["verdict"] for row in rows)
        counted = (verdicts[GOOD], verdicts[BAD], verdicts[DUPLICATE])
        require(
            counted == (summary.good, summary.bad, summary.duplicate),
            f"{key} has wrong counts in its metadata",
        )
        require(
            summary.records == len(records), f"{key} has a wrong number of records in its metadata"
        )
        require(
            summary.first <= min(records) and max(records) <= summary.last,
            f"{key} has a wrong range in its metadata",
        )
        highest = max((it.summary.last for it in entries), default=None)
        require(summary.previous == highest, f"{key} doesn't name the highest record before it")

    def _check_verdicts(self, key: str, log: LogName, rows: list[dict[str, Any]]) -> None:
        """Check each row's verdict."""
        reach_ms = self.aws.settings.window_seconds * 1000
        for row in rows:
            sequence, index = int(row["sequence_number"]), row["record_index"]
            expected = self.expected[log.shard, sequence].identities[index]
            logs = set(self.good.get(expected or "", set()))
            if expected is None:
                verdicts = {BAD}
            elif log in logs:
                verdicts = {DUPLICATE}
            else:
                verdicts = {GOOD, DUPLICATE} if logs else {GOOD}
            here = f"row {index} of {self.describe(log.shard, sequence)} in {key}"
            require(row["verdict"] in verdicts, f"{here} is {row['verdict']} and not {verdicts}")
            require(expected in (None, identity(row)), f"{here} is {identity(row)}")
            if expected is not None and row["verdict"] == GOOD:
                at = self.expected[log.shard, sequence].arrived_ms
                beside = set(log.around(at - reach_ms, at + reach_ms)) & logs
                self.good_beside.setdefault(key, []).extend((expected, it) for it in beside)
                self.good.setdefault(expected, set()).add(log)

    def logs_unknown_to_rows(self) -> set[LogName]:
        """Return the logs with entries that their rows don't know."""
        items = self.aws.dynamodb.items.get("checkpoints", {})
        return {
            log
            for log, entries in self.logs.items()
            if (item := items.get((str(log),))) is None
            or log_rows.parse(item).entries != len(entries)
        }

    def check_beside(self, keys: list[str], unknown: set[LogName]) -> None:
        """Check that no event in these entries was good in an hour beside its record before.

        That holds for entries of a writer that no other one overlapped, except for the hours that
        had entries unknown to their rows before (`unknown`). Of an entry that a crashed writer
        left, this one can learn after it has drafted an entry of another hour.
        """
        for key in keys:
            for one, log in self.good_beside.get(key, ()):
                require(log in unknown, f"{one} is good in {key}, and was good in {log}")

    # --- completeness -----------------------------------------------------------------------------

    def missing(self, records: set[RecordId]) -> set[RecordId]:
        """Return those of the records that must have rows and are in no entry."""
        return {
            record
            for record in records
            if record in self.expected
            and self.expected[record].identities
            and record not in self.key_of
        }

    def check_written(self, acknowledged: set[RecordId]) -> None:
        """Check that all records that a mapping or an operator counts as written are there."""
        lost = sorted(self.missing(acknowledged))
        here = ", ".join(self.describe(*it) for it in lost)
        require(not lost, f"lost: acknowledged and not in the lake: {here}")

    def check_rows(self) -> None:
        """Check that no row of a log knows an entry that doesn't exist."""
        for (name,), item in self.aws.dynamodb.items.get("checkpoints", {}).items():
            log = log_names.parse(name)
            if log is None or log.prefix != self.prefix:
                continue
            position, entries = log_rows.parse(item), self.logs.get(log, [])
            require(position.entries <= len(entries), f"the row of {log} knows an entry too many")
            known = entries[: position.entries]
            require(
                position.high == max((it.summary.last for it in known), default=None),
                f"the row of {log} has a wrong highest record",
            )

    def describe(self, shard: str, sequence: int) -> str:
        """Describe a record by shard and index, instead of its 56 digits."""
        of_shard = sorted(number for name, number in self.expected if name == shard)
        index = of_shard.index(sequence) if sequence in of_shard else sequence
        return f"record {index} of {shard}"


def identity(row: dict[str, Any]) -> str:
    """Return the identity of a good row: its message ID, or its change."""
    return row["message_id"] if "message_id" in row else f"{row['op']} {row['pk']} {row['version']}"
