"""The days that a reprocessing holds: properties of the table.

Schedules leave the files of such a day alone. A commit that read the table before a day was held or
released is refused, like one on another snapshot.
"""

from collections.abc import Mapping
from datetime import date
from typing import Final

from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.update import AssertTableUUID

_PREFIX: Final = "meridian.held."


def property_of(day: date) -> str:
    """Return the name of the property that a day has while it is held."""
    return f"{_PREFIX}{day}"


def days_of(properties: Mapping[str, str]) -> set[date]:
    """Return the days that are held, from the table's properties."""
    names = (it for it in properties if it.startswith(_PREFIX))
    return {date.fromisoformat(it.removeprefix(_PREFIX)) for it in names}


class AssertHeldDays(AssertTableUUID):
    """The table must be the same, and hold the days that it held when it was read."""

    days: set[date]

    def validate(  # type: ignore[override] # pyiceberg: pydantic's deprecated `validate`
        self, base_metadata: TableMetadata | None
    ) -> None:
        """Compare with the table's newest version.

        Raises:
            CommitFailedException: Another day is held, or one was released.
        """
        super().validate(base_metadata)
        if base_metadata is None or days_of(base_metadata.properties) != self.days:
            raise CommitFailedException("A reprocessing holds or released a day.")
