"""The log of ids: digests of all ids that compaction compared, each with its first hour.

Entries have numbers, and names with the first and the last number that they have: entries are
merged, and the merged ones stay. Versions before had other digests and names without "sha256".
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from stream_processor.storage import parquet
from stream_processor.storage.lake_keys import SUFFIX

SEEN_PREFIX: Final = "seen"
#: Two ids with the same digest among 10^12 ids: a probability of 10^-15.
DIGEST_BYTES: Final = 16
#: `hour` is that of the first copy, since 1970.
SEEN: Final = pa.schema([("digest", pa.binary(DIGEST_BYTES)), ("hour", pa.int32())])
_ENTRY: Final = re.compile(rf"{SEEN_PREFIX}/sha256-(\d{{8}})-(\d{{8}})\.parquet")


class Lookup:
    """Digests, and the hour of the first copy of those that the entries up to `through` have."""

    def __init__(self, wanted: Iterable[bytes]) -> None:
        self.wanted = frozenset(wanted)
        self.through = 0
        self.hours: dict[bytes, int] = {}
        self._values = pa.array(self.wanted, pa.binary(DIGEST_BYTES))

    def read(self, key: str, body: bytes) -> None:
        """Look up the digests in an entry."""
        seen = parquet.read(body, SEEN.names)
        hits = seen.filter(pc.is_in(seen.column("digest"), value_set=self._values))
        columns = (hits.column(name).to_pylist() for name in SEEN.names)
        for digest, hour in zip(*columns, strict=True):
            self.hours[digest] = min(hour, self.hours.get(digest, hour))
        self.through = last_entry([key])


def covering(keys: Iterable[str], first: int = 1, last: int | None = None) -> Iterator[str]:
    """Yield the fewest keys of `seen/` that have the entries from `first` to `last` once each."""
    ends: dict[int, list[int]] = defaultdict(list)
    for match in filter(None, map(_ENTRY.fullmatch, keys)):
        ends[int(match[1])].append(int(match[2]))
    while usable := [it for it in ends.get(first, ()) if last is None or it <= last]:
        end = max(usable)
        yield entry_key(first, end)
        first = end + 1


def last_entry(keys: Iterable[str]) -> int:
    """Return the number of the last entry of consecutive keys; 0 without a key."""
    return max((int(it[2]) for it in map(_ENTRY.fullmatch, keys) if it), default=0)


def id_digest(source: str | None, message_id: str | None) -> bytes:
    """Return the digest of an event's id. Readers calculate it in SQL."""
    # No name of a source has a line feed.
    text = f"{source or ''}\n{message_id or ''}".encode()
    return hashlib.sha256(text).digest()[:DIGEST_BYTES]


def entry_key(first: int, last: int) -> str:
    """Return the key of the entries from `first` to `last`."""
    return f"{SEEN_PREFIX}/sha256-{first:08d}-{last:08d}{SUFFIX}"
