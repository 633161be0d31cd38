"""Which Region is the home of the bookings: the record and its changes. Pure.

Each Region has its own copy of the record in the replicated table. A write is accepted only where
the copy names its own Region (docs/decisions/0069-home-record.md). A write checks the record of its
advisor, because transactions that check one item at the same time interrupt each other.
"""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from bookings.errors import HomeChangeError

#: Items of the record. One transaction changes all of them: DynamoDB allows 100 in one.
PARTS: Final = 64


@dataclass(frozen=True, slots=True)
class Home:
    """The home, as one Region knows it. `epoch` grows by one with each change of the home."""

    region: str
    epoch: int = 0
    #: The old home has stopped, the new one hasn't begun: no Region accepts writes.
    is_moving: bool = False

    def accepts(self, region: str) -> bool:
        """Return whether a Region that knows this record accepts writes."""
        return self.region == region and not self.is_moving


def part_of(advisor: str) -> int:
    """Return the number of the record's part that guards an advisor's slots."""
    return zlib.crc32(advisor.encode()) % PARTS


def released(known: Home, region: str, to: str) -> Home:
    """Return the record with which a home stops, so that another Region can begin.

    Raises:
        HomeChangeError: The Region isn't the home.
    """
    if known.is_moving and known.region == to:
        return known
    if not known.accepts(region):
        raise HomeChangeError(f"{region} isn't the home: {known.region} is.")
    if to == region:
        return known
    return Home(to, known.epoch + 1, is_moving=True)


def begun(known: Iterable[Home], region: str) -> Home:
    """Return the record with which a Region begins after the old home has stopped.

    Args:
        known: All parts of the record, as this Region knows them.
        region: The Region.

    Raises:
        HomeChangeError: The old home hasn't stopped, or not all parts have arrived.
    """
    parts = set(known)
    newest = max(parts, key=lambda it: it.epoch)
    if newest.region != region:
        raise HomeChangeError(f"{newest.region} hasn't released the home for {region}.")
    if len(parts) > 1:
        raise HomeChangeError(f"Not all parts of the record have arrived in {region}.")
    return replace(newest, is_moving=False)


def taken_over(known: Iterable[Home], region: str) -> Home:
    """Return the record with which a Region begins although the old home doesn't answer."""
    parts = set(known)
    if len(parts) == 1 and next(iter(parts)).accepts(region):
        return next(iter(parts))
    return Home(region, max(it.epoch for it in parts) + 1)
