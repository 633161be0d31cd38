"""Compares the objects in the lake with the records that were put on the stream."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from stream_processor.rows.lake_schema import BAD, DUPLICATE, GOOD
from stream_processor.storage import parquet
from stream_processor.storage.lake_keys import EVENTS, ShardPrefix, events_shard
from stream_processor.storage.lake_types import HighWaterMark, ObjectSummary
from tests.unit.stream_processor.fakes import SETTINGS, FakeAws

#: The columns of both kinds of rows; a file has one kind.
COLUMNS: Final = [
    *("verdict", "message_id", "shard_id", "sequence_number", "record_index"),
    *("source", "received_at", "page_path", "country", "bot"),
    *("op", "pk", "version"),
]


#: The kinds of breaches: lost rows, duplicated rows, and wrong contents.
type Breach = Literal["lost", "duplicated", "form"]
#: The breaches that raise: all, "rows" (lost or duplicated), one kind, or none.
type RaisingBreaches = Literal["all", "rows", "none"] | Breach


class InvariantError(AssertionError):
    """Raised when an invariant of the lake doesn't hold."""


@dataclass(slots=True)
class ExpectedRecord:
    """One record on the stream, and the rows that it must have.

    `identities` holds the `identity` of each row; None for a row that must be bad.
    """

    arrived_ms: int
    identities: tuple[str | None, ...]


@dataclass(slots=True)
class ShardState:
    """One shard: its records, and the objects that contain them, in order."""

    expected: dict[int, ExpectedRecord] = field(default_factory=dict)
    objects: list[tuple[str, ObjectSummary]] = field(default_factory=list)
    object_keys: dict[int, str] = field(default_factory=dict)
    #: Arrival time of the object in which an identity is good, in milliseconds.
    good: dict[str, int] = field(default_factory=dict)
    #: Identities in late objects, whose verdicts follow what is known when they are written.
    late: set[str] = field(default_factory=set)


@dataclass
class LakeChecker:
    """Checks the lake. `raising` selects the breaches that raise; `duplicated` collects records."""

    aws: FakeAws
    prefix: str
    raising: RaisingBreaches = "all"
    shards: dict[str, ShardState] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    duplicated: set[int] = field(default_factory=set)
    _bodies: dict[str, bytes] = field(default_factory=dict)
    _marks: dict[str, HighWaterMark] = field(default_factory=dict)

    def expect(self, shard: str, sequence: int, record: ExpectedRecord) -> None:
        """Add a record that was put on the stream."""
        self.shards.setdefault(shard, ShardState()).expected[sequence] = record

    def read_new_objects(self) -> None:
        """Read the objects that were created since the last call."""
        objects = sorted(self.aws.objects(f"{self.prefix}/"), key=lambda it: it[2]["first"])
        for key, body, metadata in objects:
            existing = self._bodies.get(key)
            if existing is body:
                continue
            rows = parquet.read(body, COLUMNS).to_pylist()
            if existing is not None:
                self.require(existing == body, f"{_short_key(key)} was overwritten")
                self._remove_rows(key)
            self._bodies[key] = body
            self._add_rows(key, rows)
            if self.raising == "all":
                self._check_form(key, rows, metadata)
        self.require(
            not self.duplicated,
            f"in the lake twice: {self._describe(self.duplicated)}",
            "duplicated",
        )

    def _add_rows(self, key: str, rows: list[dict[str, Any]]) -> None:
        for sequence, count in Counter(int(row["sequence_number"]) for row in rows).items():
            state = self._state_of(sequence)
            if sequence in state.object_keys:
                self.duplicated.add(sequence)
            identities = len(state.expected[sequence].identities)
            if count != identities:
                here = self._describe({sequence})
                self.require(
                    not here, f"{count} of {identities} rows of {here} are in {_short_key(key)}"
                )
            state.object_keys[sequence] = key
        self.rows += [{**row, "key": key} for row in rows]

    def _remove_rows(self, key: str) -> None:
        self.rows = [row for row in self.rows if row["key"] != key]
        for state in self.shards.values():
            state.object_keys = {
                s: object_key for s, object_key in state.object_keys.items() if object_key != key
            }

    def _state_of(self, sequence: int) -> ShardState:
        for state in self.shards.values():
            if sequence in state.expected:
                return state
        raise InvariantError(f"{sequence} wasn't put on the stream")

    def _check_form(self, key: str, rows: list[dict[str, Any]], metadata: dict[str, str]) -> None:
        """Check an object's key, its range of records, its metadata, and each row's verdict."""
        summary = ObjectSummary.parse(metadata)
        state = self._state_of(summary.first)
        shard = next(name for name, one in self.shards.items() if one is state)
        within = [s for s in state.expected if summary.first <= s <= summary.last]
        if self.prefix == EVENTS:
            shard = events_shard(SETTINGS.stage, "simulated", shard)
        named = ShardPrefix(self.prefix, shard).key(
            summary.first, state.expected[summary.first].arrived_ms
        )
        here = _short_key(key)
        self.require(key == named, f"{here} should be {_short_key(named)}")
        if summary.late:
            self._check_late(state, summary, rows, here)
        else:
            self._check_order(state, key, summary)
        verdicts = Counter(row["verdict"] for row in rows)
        counted = (verdicts[GOOD], verdicts[BAD], verdicts[DUPLICATE])
        self.require(
            counted == (summary.good, summary.bad, summary.duplicate),
            f"{here} has wrong counts in its metadata",
        )
        self.require(
            summary.records <= len(within), f"{here} says it holds {summary.records} records"
        )
        for row in rows:
            self._check_row(state, row, summary.arrived_ms)

    def _check_order(self, state: ShardState, key: str, summary: ObjectSummary) -> None:
        """Check that an object follows the object before it."""
        end = state.objects[-1][1].last if state.objects else None
        here = _short_key(key)
        self.require(end is None or end < summary.first, f"{here} overlaps the object before it")
        self.require(
            summary.previous == end, f"{here} doesn't name the last record of the object before it"
        )
        state.objects.append((key, summary))

    def _check_late(
        self, state: ShardState, summary: ObjectSummary, rows: list[dict[str, Any]], here: str
    ) -> None:
        """Check that a late object is behind another. Its events can be good a second time."""
        ends = [one.last for _, one in state.objects]
        self.require(
            summary.last < max(ends, default=0), f"{here} is late and no object is after it"
        )
        for row in rows:
            index, sequence = row["record_index"], int(row["sequence_number"])
            row_identity = state.expected[sequence].identities[index]
            if row_identity is not None:
                state.late.add(row_identity)

    def _check_row(self, state: ShardState, row: dict[str, Any], arrived_ms: int) -> None:
        sequence, index = int(row["sequence_number"]), row["record_index"]
        row_identity = state.expected[sequence].identities[index]
        if row_identity is None:
            verdicts = {BAD}
        elif row_identity in state.late:
            verdicts = {GOOD, DUPLICATE}
        elif row_identity not in state.good:
            verdicts = {GOOD}
        elif arrived_ms - state.good[row_identity] <= self.aws.settings.window_seconds * 1000:
            verdicts = {DUPLICATE}
        else:
            verdicts = {GOOD, DUPLICATE}
        if row["verdict"] not in verdicts or row_identity not in (None, identity(row)):
            here = f"row {index} of {self._describe({sequence})}"
            self.require(
                not here, f"{here} is {row['verdict']} and not {verdicts}: {identity(row)}"
            )
        if row_identity is not None and row["verdict"] == GOOD:
            state.good[row_identity] = arrived_ms

    # --- completeness -----------------------------------------------------------------------------

    def missing(self, sequences: set[int]) -> set[int]:
        """Return the records that must have rows and have none in the lake."""
        return {
            sequence
            for state in self.shards.values()
            for sequence, record in state.expected.items()
            if sequence in sequences and record.identities and sequence not in state.object_keys
        }

    def check_no_gap(self, acknowledged: set[int], discarded: set[int]) -> None:
        """Check that all delivered records, and all records up to the marks, are in the lake."""
        if self.raising == "none":
            return
        lost = self.missing(acknowledged - discarded)
        self.require(not lost, f"delivered and not in the lake: {self._describe(lost)}", "lost")
        if self.raising != "all":
            return
        checkpoints = self.checkpoints()
        for shard, mark in checkpoints.items():
            state = self.shards[shard]
            lost = self.missing({s for s in state.expected if s <= mark.high} - discarded)
            self.require(
                not lost, f"below the high-water mark and not in the lake: {self._describe(lost)}"
            )
            ends = {summary.last for _, summary in state.objects}
            # A rebuilt mark is before the newest object.
            ends |= {summary.first - 1 for _, summary in state.objects}
            self.require(
                mark.high in ends, f"the high-water mark of {shard} isn't the end of an object"
            )
            before = self._marks.get(shard)
            self.require(
                before is None or before.high <= mark.high,
                f"the high-water mark of {shard} decreased",
            )
        self._marks = checkpoints

    def _describe(self, sequences: set[int]) -> str:
        """Describe records by shard and index, instead of their 56 digits."""
        descriptions = {
            sequence: f"record {index} of {shard}"
            for shard, state in self.shards.items()
            for index, sequence in enumerate(sorted(state.expected))
        }
        return ", ".join(descriptions[sequence] for sequence in sorted(sequences))

    def check_shard_end(self, shard: str) -> None:
        """Check that the high-water mark of a fully processed shard is its last record."""
        ends = [summary.last for _, summary in self.shards[shard].objects]
        mark = self.checkpoints().get(shard)
        high = mark.high if mark else None
        self.require(
            high == max(ends, default=None), f"the high-water mark of {shard} isn't its last record"
        )

    def reset_marks(self) -> None:
        """Accept lower high-water marks, after the checkpoints were deleted."""
        self._marks = {}

    def checkpoints(self) -> dict[str, HighWaterMark]:
        """Return the high-water marks by shard."""
        rows = self.aws.dynamodb.items.get("checkpoints", {})
        return {
            state.rpartition("#")[2]: HighWaterMark(int(row["high"]["S"]), int(row["arrived"]["N"]))
            for (state,), row in rows.items()
        }

    def require(self, holds: object, breach: str, kind: Breach = "form") -> None:
        """Raise InvariantError if the invariant doesn't hold and `raising` selects the breach."""
        raising = {"all": True, "rows": kind != "form", "none": False}
        if not holds and raising.get(self.raising, self.raising == kind):
            raise InvariantError(breach)


def _short_key(key: str) -> str:
    """Return a key without the leading zeros of its sequence number."""
    folder, _, name = key.rpartition("/")
    shard, _, number = name.rpartition("-")
    return f"{folder}/{shard}-{number.lstrip('0')}"


def identity(row: dict[str, Any]) -> str:
    """Return the identity of a good row: its message ID, or its change."""
    return row["message_id"] if "message_id" in row else f"{row['op']} {row['pk']} {row['version']}"
