"""What an object's rows add to the live data: message ids, counts per minute, newest verdicts."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import clickstream
from stream_processor.rows.lake_schema import GOOD
from stream_processor.rows.verdicts import Verdict

#: "<source>\0<message id>". The source keeps a client, whose write key is public, from suppressing
#: another source's events by guessing their ids. Text instead of a tuple: a hundred thousand tuples
#: cost as much garbage collection as the rest of the work.
type MessageKey = str

#: "YYYY-MM-DDTHH:MM", UTC
type Minute = str


@dataclass(slots=True)
class MinuteCounts:
    """Counts of the good events of one minute."""

    events: int = 0
    bots: int = 0
    pages: Counter[str] = field(default_factory=Counter)
    countries: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class ObjectStats:
    """The good rows of one object: their ids, and their counts by minute of arrival.

    `verdicts` are the newest of all rows by source.
    """

    ids: list[MessageKey] = field(default_factory=list)
    minutes: dict[Minute, MinuteCounts] = field(default_factory=dict)
    verdicts: dict[str, list[Verdict]] = field(default_factory=dict)

    def minute(self, name: Minute) -> MinuteCounts:
        """Return the counts of a minute, created if they don't exist."""
        figures = self.minutes.get(name)
        if figures is None:
            figures = self.minutes[name] = MinuteCounts()
        return figures

    def add_request(self, minute: Minute, header: clickstream.Header, count: int) -> None:
        """Count good rows that share one header."""
        figures = self.minute(minute)
        figures.events += count
        figures.bots += count * header.bot
        figures.sources[header.source] += count
        if header.country:
            figures.countries[header.country] += count

    def add_rows(
        self, minute: Minute, pages: Iterable[str | None], ids: Sequence[MessageKey]
    ) -> None:
        """Count the pages and ids of good rows."""
        self.minute(minute).pages.update(filter(None, pages))
        self.ids += ids


def message_key(source: str, message_id: str) -> MessageKey:
    """Return the deduplication key of an event."""
    return f"{source}\0{message_id}"


type Row = tuple[str, str, str, str, str | None, str | None, bool | None]


def of_rows(rows: Iterable[Row]) -> ObjectStats:
    """Count rows of (verdict, source, message id, minute, page, country, bot)."""
    stats = ObjectStats()
    for verdict, source, message_id, minute, page, country, bot in rows:
        if verdict != GOOD:
            continue
        stats.ids.append(message_key(source, message_id))
        figures = stats.minute(minute)
        figures.events += 1
        figures.bots += bool(bot)
        figures.sources[source] += 1
        if page:
            figures.pages[page] += 1
        if country:
            figures.countries[country] += 1
    return stats
