"""The live view: one item per minute and shard, with a watermark that makes a retry add nothing.

    board    "live", the one partition: a few writes a second at a hundred shards
    slot     "YYYY-MM-DDTHH:MM#<chain>", so that one query gives the last hour of all shards
    through  the end of the newest object that is counted in this item
    events, bots, pages, countries, sources, expires_at

Objects of a shard are counted in their order, each before the high-water row moves behind it: an
object is counted at least once, and the watermark refuses the second time.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from stream_processor.errors import StorageError
from stream_processor.ingest.sequence_numbers import padded
from stream_processor.rows.object_stats import MinuteCounts, ObjectStats
from stream_processor.storage.dynamodb import Table

PARTITION: Final = "live"
#: Where the pages of a minute go that are too many to be told apart.
OTHER: Final = "(other)"
#: What has no name of its own.
NONE: Final = "(none)"
_NAME_LENGTH: Final = 200
#: Two invocations of one shard can overlap; a third is not seen.
_ATTEMPTS: Final = 10

type Item = Mapping[str, Any]


class LiveCounters:
    """The live items of one chain."""

    def __init__(self, table: Table, chain: str, hours: int, pages: int) -> None:
        self._table = table
        self._chain = chain
        self._seconds = hours * 3_600
        self._pages = pages

    def count(self, last: int, stats: ObjectStats, now: float) -> None:
        """Add the figures of the object that ends at `last`, where they are not in yet."""
        for minute, figures in stats.minutes.items():
            expires = expiry(minute, self._seconds)
            # A minute that DynamoDB would delete at once is history: the lake answers for it.
            if expires is not None and expires > now:
                self._add(minute, last, figures, expires)

    def _add(self, minute: str, last: int, figures: MinuteCounts, expires: int) -> None:
        key = {"board": {"S": PARTITION}, "slot": {"S": f"{minute}#{self._chain}"}}
        for _ in range(_ATTEMPTS):
            old = self._table.get(key)
            if old is None:
                condition, values = "attribute_not_exists(slot)", None
                total = figures
            elif old["through"]["S"] >= padded(last):
                return
            else:
                # "through" is only ever raised: where it is unchanged, so is the item.
                condition, values = "through = :seen", {":seen": old["through"]}
                total = merged(read(old), figures)
            item = {**key, **written(total, last, expires, self._pages)}
            if self._table.put_if(item, condition, values):
                return
        raise StorageError(f"the live minute {minute} was never free to be written")


def expiry(minute: str, seconds: int) -> int | None:
    """When a minute's item expires, in epoch seconds; None where the text is no minute."""
    try:
        at = datetime.fromisoformat(minute)
    except ValueError:
        return None
    return int(at.replace(tzinfo=UTC).timestamp()) + seconds


def merged(one: MinuteCounts, other: MinuteCounts) -> MinuteCounts:
    """The sum of two figures of the same minute."""
    return MinuteCounts(
        events=one.events + other.events,
        bots=one.bots + other.bots,
        pages=one.pages + other.pages,
        countries=one.countries + other.countries,
        sources=one.sources + other.sources,
    )


def written(figures: MinuteCounts, last: int, expires: int, pages: int) -> dict[str, Any]:
    """The attributes of an item. Only the `pages` busiest keep their names (400 KB per item)."""
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
    """The figures of an item that `written` made."""
    return MinuteCounts(
        events=int(item["events"]["N"]),
        bots=int(item["bots"]["N"]),
        pages=_counter(item["pages"]),
        countries=_counter(item["countries"]),
        sources=_counter(item["sources"]),
    )


def since(table: Table, minute: str) -> Iterator[tuple[str, MinuteCounts]]:
    """The minutes from `minute` on, one query; a minute comes once per shard."""
    values = {":live": {"S": PARTITION}, ":from": {"S": minute}}
    for item in table.query("board = :live AND slot >= :from", values):
        yield item["slot"]["S"].partition("#")[0], read(item)


def _busiest(counts: Counter[str], limit: int) -> Counter[str]:
    if len(counts) <= limit:
        return counts
    kept = Counter(dict(counts.most_common(limit)))
    kept[OTHER] += counts.total() - kept.total()
    return kept


def _map(counts: Counter[str]) -> Item:
    named: Counter[str] = Counter()
    for name, count in counts.items():
        # An item holds 400 KB and an attribute's name at least one character; a page's path is
        # as long as its visitor likes.
        named[name[:_NAME_LENGTH] or NONE] += count
    return {"M": {name: {"N": str(count)} for name, count in named.items()}}


def _counter(attribute: Item) -> Counter[str]:
    return Counter({name: int(count["N"]) for name, count in attribute["M"].items()})
