"""Deleted entries and lost rows together: the lake is repaired, and the live counters are bounded.

The functions can't delete an entry. If an operator deletes the newest entry of a log and its row is
lost, too, the next entry takes its number again, and the live counters ignore it.
"""

import random
from typing import Final

import pytest

from stream_processor.rows.lake_schema import GOOD
from stream_processor.storage import live_counters, parquet
from tests.support.seeds import seeds
from tests.unit.stream_processor.fakes import LAKE
from tests.unit.stream_processor.test_verify import FilledLake, expected_rows

STEPS: Final = 8


class DeletedEntries:
    """A history of batches, deletions, lost rows and repairs."""

    def __init__(self, seed: int, *, lose_rows: bool) -> None:
        self.rng = random.Random(seed)
        self.lake = FilledLake()
        self.lose_rows = lose_rows
        #: The bodies of deleted entries by key.
        self.deleted: dict[str, list[bytes]] = {}
        #: The entries that took the number of a deleted one, by key.
        self.again: dict[str, set[bytes]] = {}

    def run(self) -> None:
        for _ in range(STEPS):
            act = self.rng.choice([self._delete, self._delete_newest, self._write, self._repair])
            act()
            self._note_entries_again()
        self._repair()
        self._note_entries_again()

    def _write(self) -> None:
        self.lake.event(self.rng.randint(1, 3))

    def _delete_newest(self) -> None:
        self._delete(newest=True)
        if self.lose_rows:
            self.lake.delete_checkpoints()

    def _delete(self, *, newest: bool = False) -> None:
        if not (keys := self.lake.keys("events/")):
            return
        key = keys[-1] if newest else self.rng.choice(keys)
        body, _ = self.lake.aws.s3.objects[LAKE, key]
        self.deleted.setdefault(key, []).append(body)
        self.lake.delete(key, versions=self.rng.random() < 0.5)

    def _repair(self) -> None:
        assert self.lake.verify(restore=True).complete

    def _note_entries_again(self) -> None:
        for key, bodies in self.deleted.items():
            body, _ = self.lake.aws.s3.objects.get((LAKE, key), (b"", {}))
            if body and body not in bodies:
                self.again.setdefault(key, set()).add(body)

    @property
    def bound(self) -> int:
        """The good rows of deleted entries, and of those that took their numbers."""
        bodies = [body for one in self.deleted.values() for body in one]
        return sum(map(_good, [*bodies, *(body for one in self.again.values() for body in one)]))

    @property
    def excess(self) -> int:
        """By how much the live counters exceed the good rows of the lake."""
        app = self.lake.aws.app()
        live = sum(figures.events for _, figures in live_counters.since(app.live, ""))
        return live - sum(_good(body) for _, body, _ in self.lake.aws.objects("events/"))


def _good(body: bytes) -> int:
    return parquet.verdicts(body)[GOOD]


@pytest.mark.parametrize("lose_rows", [False, True])
@pytest.mark.parametrize("seed", seeds(8))
def test_verify_repairs_lake_after_entries_and_rows_were_deleted(
    seed: int, lose_rows: bool
) -> None:
    history = DeletedEntries(seed, lose_rows=lose_rows)
    history.run()
    assert history.lake.rows() == expected_rows(history.lake)
    assert abs(history.excess) <= history.bound
    # While the row of a log is there, no number is taken again: every good row is counted.
    assert lose_rows or history.excess >= 0


def test_entry_with_number_of_deleted_one_is_missing_in_live_counters() -> None:
    """The bound is reached: the counters keep the deleted row and miss the three new ones."""
    history = DeletedEntries(0, lose_rows=True)
    history.lake = FilledLake()
    history._delete_newest()
    history.lake.event(3)
    assert history.excess == 2 - 3
    assert history.lake.verify(restore=True).complete
    # The deleted records have an entry again, which is counted.
    assert history.excess == -1


def test_late_put_of_deleted_entry_is_reported_as_overlap() -> None:
    """The one case that stores records twice: docs/proof.md, "Deleted entries"."""
    history = DeletedEntries(0, lose_rows=False)
    lake = history.lake = FilledLake()
    key = lake.keys("events/")[-1]
    body, metadata = lake.aws.s3.objects[LAKE, key]
    lake.delete(key, versions=True, marker=False)
    assert lake.verify(restore=True).reread == 2
    other = lake.keys("events/")[-1]
    assert other != key
    # `verify` has put an empty entry in place of the deleted one, which refuses the PUT.
    assert not lake.aws.app().lake.create(key, body, metadata)
    # Without `verify`, another delivery writes the records to the next number.
    lake.delete(key, versions=True, marker=False)
    assert lake.aws.app().lake.create(key, body, metadata)
    report = lake.verify()
    assert report.overlaps
    assert not report.complete
