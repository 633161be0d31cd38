"""What has to be in the lake, what is there, and the law that both agree."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal

from stream_processor.rows.lake_schema import BAD, DUPLICATE, GOOD
from stream_processor.storage import parquet
from stream_processor.storage.lake_keys import ShardPrefix
from stream_processor.storage.lake_types import HighWaterMark, ObjectSummary
from tests.unit.stream_processor.fakes import FakeAws

#: Of both kinds of rows; a file has its own.
COLUMNS = [
    *("verdict", "message_id", "shard_id", "sequence_number", "record_index"),
    *("source", "received_at", "page_path", "country", "bot"),
    *("op", "pk", "version"),
]


#: What a breach is about: rows that are lost, rows that are there twice, or their form.
type Breach = Literal["lost", "twice", "form"]
#: Which breaches raise: all, those of "rows" (lost or twice), one kind, none.
type Judge = Literal["all", "rows", "none"] | Breach


class InvariantError(AssertionError):
    """The law does not hold."""


@dataclass(slots=True)
class Entry:
    """One record that was put on the stream: what its rows have to be.

    `units` holds the identity of each row (see `identity`), None where the row must be bad.
    """

    arrived_ms: int
    units: tuple[str | None, ...]


@dataclass(slots=True)
class Chain:
    """One shard: its records, and the objects of the lake that hold them, in their order."""

    entries: dict[int, Entry] = field(default_factory=dict)
    objects: list[tuple[str, ObjectSummary]] = field(default_factory=list)
    holder: dict[int, str] = field(default_factory=dict)
    #: When the first record of the object arrived in which a unit is good.
    good: dict[str, int] = field(default_factory=dict)


@dataclass
class Ledger:
    """Compares, and raises as `judge` says; `twice` collects what is doubled."""

    aws: FakeAws
    prefix: str
    judge: Judge = "all"
    chains: dict[str, Chain] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    twice: set[int] = field(default_factory=set)
    _bodies: dict[str, bytes] = field(default_factory=dict)
    _marks: dict[str, HighWaterMark] = field(default_factory=dict)

    def expect(self, shard: str, sequence: int, entry: Entry) -> None:
        """Take note of a record that is put on the stream."""
        self.chains.setdefault(shard, Chain()).entries[sequence] = entry

    def look(self) -> None:
        """Read the objects that are new since the last look."""
        objects = sorted(self.aws.objects(f"{self.prefix}/"), key=lambda it: it[2]["first"])
        for key, body, metadata in objects:
            known = self._bodies.get(key)
            if known is body:
                continue
            rows = parquet.read(body, COLUMNS).to_pylist()
            if known is not None:
                self.law(known == body, f"{_short(key)} was written over")
                self._forget(key)
            self._bodies[key] = body
            self._enter(key, rows)
            if self.judge == "all":
                self._check_form(key, rows, metadata)
        self.law(not self.twice, f"in the lake twice: {self._named(self.twice)}", "twice")

    def _enter(self, key: str, rows: list[dict[str, Any]]) -> None:
        for sequence, count in Counter(int(row["sequence_number"]) for row in rows).items():
            chain = self._chain_of(sequence)
            if sequence in chain.holder:
                self.twice.add(sequence)
            units = len(chain.entries[sequence].units)
            if count != units:
                here = self._named({sequence})
                self.law(not here, f"{count} of {units} rows of {here} are in {_short(key)}")
            chain.holder[sequence] = key
        self.rows += [{**row, "key": key} for row in rows]

    def _forget(self, key: str) -> None:
        self.rows = [row for row in self.rows if row["key"] != key]
        for chain in self.chains.values():
            chain.holder = {s: held for s, held in chain.holder.items() if held != key}

    def _chain_of(self, sequence: int) -> Chain:
        for chain in self.chains.values():
            if sequence in chain.entries:
                return chain
        raise InvariantError(f"{sequence} was never put on the stream")

    def _check_form(self, key: str, rows: list[dict[str, Any]], metadata: dict[str, str]) -> None:
        """The name, the place in the chain, what the metadata says, and each row's verdict."""
        said = ObjectSummary.parse(metadata)
        chain = self._chain_of(said.first)
        shard = next(name for name, one in self.chains.items() if one is chain)
        within = [s for s in chain.entries if said.first <= s <= said.last]
        named = ShardPrefix(self.prefix, shard).key(
            said.first, chain.entries[said.first].arrived_ms
        )
        end = chain.objects[-1][1].last if chain.objects else None
        here = _short(key)
        self.law(key == named, f"{here} should be {_short(named)}")
        self.law(end is None or end < said.first, f"{here} begins within the one before it")
        self.law(said.previous == end, f"{here} does not follow on the object before it")
        chain.objects.append((key, said))
        verdicts = Counter(row["verdict"] for row in rows)
        counted = (verdicts[GOOD], verdicts[BAD], verdicts[DUPLICATE])
        self.law(counted == (said.good, said.bad, said.duplicate), f"{here} counts wrongly")
        self.law(said.records <= len(within), f"{here} says it holds {said.records} records")
        for row in rows:
            self._check_row(chain, row, said.arrived_ms)

    def _check_row(self, chain: Chain, row: dict[str, Any], arrived_ms: int) -> None:
        sequence, place = int(row["sequence_number"]), row["record_index"]
        unit = chain.entries[sequence].units[place]
        if unit is None:
            verdicts = {BAD}
        elif unit not in chain.good:
            verdicts = {GOOD}
        elif arrived_ms - chain.good[unit] <= self.aws.settings.window_seconds * 1000:
            verdicts = {DUPLICATE}
        else:
            verdicts = {GOOD, DUPLICATE}
        if row["verdict"] not in verdicts or unit not in (None, identity(row)):
            here = f"row {place} of {self._named({sequence})}"
            self.law(not here, f"{here} is {row['verdict']} and not {verdicts}: {identity(row)}")
        if unit is not None and row["verdict"] == GOOD:
            chain.good[unit] = arrived_ms

    # --- what may not be missing ------------------------------------------------------------------

    def missing(self, sequences: set[int]) -> set[int]:
        """Which of these records have rows to be in the lake, and none there."""
        return {
            sequence
            for chain in self.chains.values()
            for sequence, entry in chain.entries.items()
            if sequence in sequences and entry.units and sequence not in chain.holder
        }

    def no_gap(self, acknowledged: set[int], given_up: set[int]) -> None:
        """What the mapping took for done is in the lake, and so is all below a high-water row."""
        if self.judge == "none":
            return
        gone = self.missing(acknowledged - given_up)
        self.law(not gone, f"done and not in the lake: {self._named(gone)}", "lost")
        if self.judge != "all":
            return
        checkpoints = self.checkpoints()
        for shard, mark in checkpoints.items():
            chain = self.chains[shard]
            gone = self.missing({s for s in chain.entries if s <= mark.high} - given_up)
            self.law(not gone, f"below the row and not in the lake: {self._named(gone)}")
            ends = {said.last for _, said in chain.objects}
            # A row that was rebuilt stands before the newest object.
            ends |= {said.first - 1 for _, said in chain.objects}
            self.law(mark.high in ends, f"the row of {shard} is no object's end")
            before = self._marks.get(shard)
            self.law(before is None or before.high <= mark.high, f"the row of {shard} went back")
        self._marks = checkpoints

    def _named(self, sequences: set[int]) -> str:
        """Records by shard and place: the numbers have 56 digits."""
        places = {
            sequence: f"record {place} of {shard}"
            for shard, chain in self.chains.items()
            for place, sequence in enumerate(sorted(chain.entries))
        }
        return ", ".join(places[sequence] for sequence in sorted(sequences))

    def at_the_end(self, shard: str) -> None:
        """Once all of a shard is delivered, its row stands at the end of its last object."""
        ends = [said.last for _, said in self.chains[shard].objects]
        mark = self.checkpoints().get(shard)
        high = mark.high if mark else None
        self.law(high == max(ends, default=None), f"the row of {shard} is not at its end")

    def forget_rows(self) -> None:
        """The high-water rows were lost: they may begin anew."""
        self._marks = {}

    def checkpoints(self) -> dict[str, HighWaterMark]:
        """The high-water rows by shard."""
        rows = self.aws.dynamodb.items.get("checkpoints", {})
        return {
            chain.rpartition("#")[2]: HighWaterMark(int(row["high"]["S"]), int(row["arrived"]["N"]))
            for (chain,), row in rows.items()
        }

    def law(self, holds: object, breach: str, kind: Breach = "form") -> None:
        """Raise for what does not hold."""
        raising = {"all": True, "rows": kind != "form", "none": False}
        if not holds and raising.get(self.judge, self.judge == kind):
            raise InvariantError(breach)


def _short(key: str) -> str:
    """The end of a name: its number has 56 digits."""
    folder, _, name = key.rpartition("/")
    shard, _, number = name.rpartition("-")
    return f"{folder}/{shard}-{number.lstrip('0')}"


def identity(row: dict[str, Any]) -> str:
    """What a good row is told from others by: the message id, or the change."""
    return row["message_id"] if "message_id" in row else f"{row['op']} {row['pk']} {row['version']}"
