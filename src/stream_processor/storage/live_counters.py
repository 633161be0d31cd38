"""Live counters in DynamoDB: one item per minute and shard, idempotent by a watermark.

    board    "live", the only partition key: a few writes per second at a hundred shards
    slot     "YYYY-MM-DDTHH:MM#<stream>#<shard>": one query returns the last hour of all shards
    through  last sequence number of the newest object that the item counts
    events, bots, pages, countries, sources, expires_at

The objects of a shard are counted in order, each before the checkpoint advances: an object is
counted at least once, and the watermark rejects the second time.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from stream_processor.errors import StorageError
from stream_processor.ingest.sequence_numbers import padded
from stream_processor.rows.object_stats import MinuteCounts, ObjectStats
from stream_processor.storage import recent_verdicts
from stream_processor.storage.dynamodb import Table

PARTITION: Final = "live"
#: Name of the pages beyond the `pages` busiest of a minute.
OTHER: Final = "(other)"
#: Name of an empty value.
NONE: Final = "(none)"
_MAX_NAME_CHARS: Final = 200
#: At most two invocations of a shard overlap, so one of these attempts succeeds.
_MAX_ATTEMPTS: Final = 10

type Item = Mapping[str, Any]


class LiveCounters:
    """The items of one shard. Only the `pages` busiest pages of a minute keep their names."""

    def __init__(self, table: Table, name: str, hours: int, pages: int) -> None:
        self._table = table
        self._name = name
        self._seconds = hours * 3_600
        self._pages = pages

    def count(self, last: int, stats: ObjectStats, now: float) -> None:
        """Add the counts of the object that ends at `last`, unless they are counted already.

        The newest verdicts of its rows are written beside them.

        Raises:
            StorageError: DynamoDB failed, or other writers won every attempt.
        """
        for minute, figures in stats.minutes.items():
            expires = expiry(minute, self._seconds)
            # An expired minute isn't live any more: DynamoDB would delete its item at once.
            if expires is not None and expires > now:
                self._add(minute, last, figures, expires)
        recent_verdicts.add(self._table, self._name, last, stats.verdicts, int(now) + self._seconds)

    def _add(self, minute: str, last: int, figures: MinuteCounts, expires: int) -> None:
        key = {"board": {"S": PARTITION}, "slot": {"S": f"{minute}#{self._name}"}}
        for _ in range(_MAX_ATTEMPTS):
            old = self._table.get(key)
            if old is None:
                condition, values = "attribute_not_exists(slot)", None
                total = figures
            elif old["through"]["S"] >= padded(last):
                return
            else:
                # "through" only increases: if it is unchanged, so is the item.
                condition, values = "through = :seen", {":seen": old["through"]}
                total = merged(read(old), figures)
            item = {**key, **written(total, last, expires, self._pages)}
            if self._table.put_if(item, condition, values):
                return
        raise StorageError(
            f"Can't write the live counters of {minute}: {_MAX_ATTEMPTS} write conflicts. "
            "Lambda retries the batch."
        )


def expiry(minute: str, seconds: int) -> int | None:
    """Return when a minute's item expires (Unix seconds); None if the text isn't a minute."""
    try:
        at = datetime.fromisoformat(minute)
    except ValueError:
        return None
    return int(at.replace(tzinfo=UTC).timestamp()) + seconds


def merged(one: MinuteCounts, other: MinuteCounts) -> MinuteCounts:
    """Return the sum of two counts."""
    return MinuteCounts(
        events=one.events + other.events,
        bots=one.bots + other.bots,
        pages=one.pages + other.pages,
        countries=one.countries + other.countries,
        sources=one.sources + other.sources,
    )


def written(figures: MinuteCounts, last: int, expires: int, pages: int) -> dict[str, Any]:
    """Return an item's attributes. Names are limited because an item holds 400 KB."""
    return {
        "through": {"S": padded(last)},
        "expires_at": {"N": str(expires)},
        "events": {"N": str(figures.events)},
        "bots": {"N": str(figures.bots)},
        "pages": _map(_busiest(figures.pages, pages)),
        "countries": _map(_busiest(figures.countries, pages)),
        "sources": _map(_busiest(figures.sources, pages)),
    }


def read(item: Item) -> MinuteCounts:
    """Parse the counts of an item that `written` returned."""
    return MinuteCounts(
        events=int(item["events"]["N"]),
        bots=int(item["bots"]["N"]),
        pages=_counter(item["pages"]),
        countries=_counter(item["countries"]),
        sources=_counter(item["sources"]),
    )


def since(table: Table, minute: str) -> Iterator[tuple[str, MinuteCounts]]:
    """Yield minute and counts from `minute` on; a minute occurs once per shard.

    Raises:
        StorageError: DynamoDB failed.
    """
    values = {":live": {"S": PARTITION}, ":from": {"S": minute}}
    for item in table.query("board = :live AND slot >= :from", values):
        yield item["slot"]["S"].partition("#")[0], read(item)


def _busiest(counts: Counter[str], limit: int) -> Counter[str]:
    if len(counts) <= limit:
        return counts
    busiest = Counter(dict(counts.most_common(limit)))
    busiest[OTHER] += counts.total() - busiest.total()
    return busiest


def _map(counts: Counter[str]) -> Item:
    shortened: Counter[str] = Counter()
    for name, count in counts.items():
        # An item holds 400 KB and an attribute name needs a character; clients choose the length
        # of a page's path.
        shortened[name[:_MAX_NAME_CHARS] or NONE] += count
    return {"M": {name: {"N": str(count)} for name, count in shortened.items()}}


def _counter(attribute: Item) -> Counter[str]:
    return Counter({name: int(count["N"]) for name, count in attribute["M"].items()})
