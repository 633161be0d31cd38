"""The chained writer: the objects of one shard tile its sequence numbers, without gap or overlap.

Lambda delivers a batch again with other ends, two invocations can overlap, and a crash can fall
between any two lines ("Using Lambda to process records from Amazon Kinesis Data Streams": each
record is processed at least once). So the name of an object depends on its first record only, and
the first record of an object is fixed by the end of the one before. Whoever is first to write that
name has committed; everybody else adopts what is there, and goes on behind it.

Nothing here knows S3, DynamoDB or Parquet.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

#: Kinesis' sequence numbers have up to 56 decimal digits and a DynamoDB Number holds 38 (DynamoDB,
#: "Supported data types"): they are compared as integers and stored as text of this width.
SEQUENCE_DIGITS = 56


def padded(sequence: int) -> str:
    """Write a sequence number so that the order of texts is the order of numbers."""
    return str(sequence).zfill(SEQUENCE_DIGITS)


class Record(Protocol):
    """What the chain knows of a record: its place in the shard, and when the shard took it."""

    @property
    def sequence(self) -> int: ...
    @property
    def arrived_ms(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Summary:
    """What one object holds, as its metadata says it. `previous` is the end of the object before.

    With `previous` each object names its predecessor, so that a missing one shows.
    """

    first: int
    last: int
    arrived_ms: int
    previous: int | None
    records: int
    good: int
    bad: int
    duplicate: int

    def metadata(self) -> dict[str, str]:
        """As S3 user metadata, which is text."""
        return {
            "first": padded(self.first),
            "last": padded(self.last),
            "arrived": str(self.arrived_ms),
            "previous": "none" if self.previous is None else padded(self.previous),
            "records": str(self.records),
            "good": str(self.good),
            "bad": str(self.bad),
            "duplicate": str(self.duplicate),
        }

    @classmethod
    def parse(cls, metadata: Mapping[str, str]) -> "Summary":
        """Read what `metadata` wrote. KeyError or ValueError where it did not write this."""
        previous = metadata["previous"]
        return cls(
            first=int(metadata["first"]),
            last=int(metadata["last"]),
            arrived_ms=int(metadata["arrived"]),
            previous=None if previous == "none" else int(previous),
            records=int(metadata["records"]),
            good=int(metadata["good"]),
            bad=int(metadata["bad"]),
            duplicate=int(metadata["duplicate"]),
        )


@dataclass(frozen=True, slots=True)
class Draft[T]:
    """An object that is ready to be written; `tally` is what is counted once it is committed."""

    summary: Summary
    body: bytes
    digest: str
    tally: T


@dataclass(frozen=True, slots=True)
class Found:
    """What already lies under the name of a draft."""

    summary: Summary
    digest: str


@dataclass(frozen=True, slots=True)
class Commit[T]:
    """An object that is in the lake. `adopted`: another invocation wrote it."""

    key: str
    summary: Summary
    tally: T
    size: int
    adopted: bool


@dataclass(frozen=True, slots=True)
class Outcome[T]:
    """What an invocation did. `unwritten` is the first sequence number that is left, if any."""

    commits: tuple[Commit[T], ...]
    unwritten: int | None
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a chain is: the end of its newest object, and when that object's first arrived."""

    high: int
    arrived_ms: int


class Marks(Protocol):
    """The high-water row of one chain."""

    def mark(self) -> Mark | None:
        """How far the chain is, strongly consistent; None before its first object."""

    def raise_to(self, mark: Mark) -> None:
        """Move the row to `mark`, unless it is there or further already."""


class Objects[T](Protocol):
    """The objects of one chain."""

    def create(self, key: str, draft: Draft[T]) -> Found | None:
        """Write the draft where nothing is: None. Where something is, say what, and leave it."""

    def between(self, mark: Mark, first: Record) -> Sequence[str]:
        """The objects behind the mark whose names are lower than that of `first`, in order."""

    def found(self, key: str) -> Found:
        """What lies under a name."""

    def tally(self, key: str) -> T:
        """Count an object that another invocation wrote, from its rows."""


def commit[R: Record, T](
    batch: Sequence[R],
    *,
    marks: Marks,
    objects: Objects[T],
    draft: Callable[[Sequence[R], int | None], Draft[T]],
    name: Callable[[R], str],
    committed: Callable[[Commit[T]], None],
    in_time: Callable[[], bool],
) -> Outcome[T]:
    """Bring a batch of one shard into the lake, each record once, whatever was done before.

    `draft` makes an object of the first records it is given (at least one), and may leave the rest
    for the next. `committed` must bear to be told of the same object twice: it is told before the
    row moves, so that a crash between the two repeats it instead of losing it.

    An error after the first object ends in an `Outcome` that names what is left; an error before
    it is raised, because nothing was achieved.
    """
    commits: list[Commit[T]] = []
    mark = marks.mark()
    rest = _behind(batch, mark)
    while rest:
        if commits and not in_time():
            return Outcome(tuple(commits), rest[0].sequence)
        try:
            done = _orphan(rest[0], mark, objects) or _write(rest, mark, objects, draft, name)
            committed(done)
            mark = Mark(done.summary.last, done.summary.arrived_ms)
            marks.raise_to(mark)
        except Exception as error:
            if not commits:
                raise
            return Outcome(tuple(commits), rest[0].sequence, error)
        commits.append(done)
        rest = _behind(rest, mark)
    return Outcome(tuple(commits), None)


def _behind[R: Record](batch: Sequence[R], mark: Mark | None) -> Sequence[R]:
    if mark is None:
        return batch
    return [record for record in batch if record.sequence > mark.high]


def _orphan[T](first: Record, mark: Mark | None, objects: Objects[T]) -> Commit[T] | None:
    """Find an object that its writer did not live to tell the row of, and whose name is lost.

    Usually the next delivery has the same first record and meets the object under its name. But
    Lambda may give that record up ("MaximumRecordAgeInSeconds", "MaximumRetryAttempts") and go on
    behind it: then only a look at the lake tells that the rest is committed.
    """
    if mark is None:
        return None
    for key in objects.between(mark, first):
        summary = objects.found(key).summary
        return Commit(key, summary, objects.tally(key), 0, adopted=True)
    return None


def _write[R: Record, T](
    rest: Sequence[R],
    mark: Mark | None,
    objects: Objects[T],
    draft: Callable[[Sequence[R], int | None], Draft[T]],
    name: Callable[[R], str],
) -> Commit[T]:
    key = name(rest[0])
    mine = draft(rest, None if mark is None else mark.high)
    found = objects.create(key, mine)
    if found is None:
        return Commit(key, mine.summary, mine.tally, len(mine.body), adopted=False)
    if found.digest == mine.digest:
        # A PUT that timed out and landed, or the same batch again: the rows are known.
        return Commit(key, found.summary, mine.tally, len(mine.body), adopted=True)
    return Commit(key, found.summary, objects.tally(key), 0, adopted=True)
