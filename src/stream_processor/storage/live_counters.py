"""Live counters in DynamoDB: one item per minute and log, idempotent by a watermark.

    board    "live", the only partition key: a few writes per second at a hundred shards
    slot     "YYYY-MM-DDTHH:MM#<log>": one query returns the last hour of all shards
    through  number of the newest entry that the item counts
    events, bots, pages, countries, sources, expires_at

The entries of a log are counted in order, each before the next one is written: an entry is counted
at least once, and the watermark rejects the second time.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from stream_processor.errors import StorageError
from stream_processor.rows.object_stats import MinuteCounts, ObjectStats
from stream_processor.storage import recent_verdicts
from stream_processor.storage.dynamodb import Table
from stream_processor.storage.log_names import NUMBER_DIGITS, LogName

PARTITION: Final = "live"
#: Name of the pages beyond the `pages` busiest of a minute.
OTHER: Final = "(other)"
#: Name of an empty value.
NONE: Final = "(none)"
_MAX_NAME_CHARS: Final = 200
#: Only writers of one log meet, at most eleven with a ParallelizationFactor of 10.
_MAX_ATTEMPTS: Final = 20

type Item = Mapping[str, Any]


class LiveCounters:
    """The items of one log. Only the `pages` busiest pages of a minute keep their names."""

    def __init__(self, table: Table, log: LogName, hours: int, pages: int) -> None:
        self._table = table
        self._log = log
        self._seconds = hours * 3_600
        self._pages = pages

    def count(self, number: int, stats: ObjectStats, now: float) -> None:
        """Add the counts of an entry, unless they are counted already.

        The newest verdicts of its rows are written beside them.

        Raises:
            StorageError: DynamoDB failed, or other writers won every attempt.
        """
        for minute, figures in stats.minutes.items():
            expires = expiry(minute, self._seconds)
            # An expired minute isn't live any more: DynamoDB would delete its item at once.
            if expires is not None and expires > now:
                self._add(minute, number, figures, expires)
        expires_at = int(now) + self._seconds
        recent_verdicts.add(self._table, self._log.shard, stats.verdicts, expires_at)

    def _add(self, minute: str, number: int, figures: MinuteCounts, expires: int) -> None:
        key = {"board": {"S": PARTITION}, "slot": {"S": f"{minute}#{self._log}"}}
        for _ in range(_MAX_ATTEMPTS):
            old = self._table.get(key)
            if old is None:
                condition, values = "attribute_not_exists(slot)", None
                total = figures
            elif old["through"]["S"] >= _text(number):
                return
            else:
                # "through" only increases: if it is unchanged, so is the item.
                condition, values = "through = :seen", {":seen": old["through"]}
                total = merged(read(old), figures)
            item = {**key, **written(total, number, expires, self._pages)}
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


def written(figures: MinuteCounts, number: int, expires: int, pages: int) -> dict[str, Any]:
    """Return an item's attributes. Names are limited because an item holds 400 KB."""
    return {
        "through": {"S": _text(number)},
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
    """Yield minute and counts from `minute` on; a minute occurs once per log.

    Raises:
        StorageError: DynamoDB failed.
    """
    values = {":live": {"S": PARTITION}, ":from": {"S": minute}}
    for item in table.query("board = :live AND slot >= :from", values):
        yield item["slot"]["S"].partition("#")[0], read(item)


def hide_pages(table: Table, is_hidden: Callable[[str], bool]) -> int:
    """Count the views of some pages as those of OTHER; return how many items had such a page.

    `is_hidden` tells by the name. A writer that read the item before can write a name again.

    Raises:
        StorageError: DynamoDB failed.
    """
    changed = 0
    # A key's value can't be empty (DynamoDB, "Query").
    values = {":live": {"S": PARTITION}, ":from": {"S": "0"}}
    for item in table.query("board = :live AND slot >= :from", values, is_consistent=True):
        pages = _counter(item["pages"])
        hidden = [name for name in pages if is_hidden(name)]
        if not hidden:
            continue
        pages[OTHER] += sum(pages.pop(name) for name in hidden)
        # If the condition fails, a writer was faster: the next pass reads the item again.
        table.put_if({**item, "pages": _map(pages)}, "through = :seen", {":seen": item["through"]})
        changed += 1
    return changed


def _busiest(counts: Counter[str], limit: int) -> Counter[str]:
    if len(counts) <= limit:
        return counts
    busiest = Counter(dict(counts.most_common(limit)))
    busiest[OTHER] += counts.total() - busiest.total()
    return busiest


def _text(number: int) -> str:
    return f"{number:0{NUMBER_DIGITS}d}"


def _map(counts: Counter[str]) -> Item:
    shortened: Counter[str] = Counter()
    for name, count in counts.items():
        # An item holds 400 KB and an attribute name needs a character; clients choose the length
        # of a page's path.
        shortened[name[:_MAX_NAME_CHARS] or NONE] += count
    return {"M": {name: {"N": str(count)} for name, count in shortened.items()}}


def _counter(attribute: Item) -> Counter[str]:
    return Counter({name: int(count["N"]) for name, count in attribute["M"].items()})
