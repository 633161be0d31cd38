"""A lake of any age with one object per interval, computed instead of stored, for `history.py`.

`SyntheticS3` has the client methods that the repair commands use, and pages of 1,000 keys as S3
has. It counts the requests by name. Objects that a command writes are stored.
"""

import io
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from stream_processor.storage.lake_types import ObjectSummary
from stream_processor.storage.log_names import LogName, entry_of

SHARD: Final = "shardId-000000000000"
#: "By default, the action returns up to 1,000 key names" (API_ListObjectsV2).
PAGE_KEYS: Final = 1_000
_FOLDER: Final = re.compile(r"\w+/date=(\d{4}-\d\d-\d\d)/(?:hour=(\d\d)/)?")


@dataclass
class SyntheticS3:
    """A bucket in which each of `prefixes` has one object per `interval` from `start` to `end`.

    Object n of a prefix holds the record with the sequence number n + 1. Every object has `body`.
    """

    start: datetime
    end: datetime
    interval: timedelta
    body: bytes
    prefixes: tuple[str, ...] = ("changes", "events")
    requests: Counter[str] = field(default_factory=Counter)
    stored: dict[str, bytes] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """The number of objects of one prefix."""
        return (self.end - self.start) // self.interval

    def key(self, prefix: str, number: int) -> str:
        """Return the key of an object."""
        log = LogName.of(prefix, SHARD, self._arrived_ms(number))
        return log.key(number - self._first(log))

    def _first(self, log: LogName) -> int:
        """Return the number of the first object of a log."""
        return self._number(datetime.fromtimestamp(log.hour_ms / 1000, UTC))

    def keys_since(self, prefix: str, at: datetime) -> list[str]:
        """Return the keys of the objects from a time on."""
        return [self.key(prefix, number) for number in range(self._number(at), self.count)]

    def list_objects_v2(self, **query: Any) -> dict[str, Any]:
        """Return a page of keys, or of folders with a delimiter."""
        self.requests["LIST"] += 1
        after = query.get("ContinuationToken", query.get("StartAfter", ""))
        if "Delimiter" in query:
            folders = [it for it in self._folders(query["Prefix"]) if it > after]
            return {"CommonPrefixes": [{"Prefix": it} for it in folders]}
        keys, more = self._page(query["Prefix"], after)
        contents = [
            {"Key": key, "Size": len(self.body), "ETag": "", "LastModified": self.end}
            for key in keys
        ]
        page: dict[str, Any] = {"Contents": contents}
        return page | ({"IsTruncated": True, "NextContinuationToken": keys[-1]} if more else {})

    def list_object_versions(self, **query: Any) -> dict[str, Any]:
        """Return a page of versions: one of each object, and no delete markers."""
        self.requests["LIST"] += 1
        keys, more = self._page(query["Prefix"], query.get("KeyMarker", ""))
        versions = [{"Key": key, "VersionId": "1", "IsLatest": True} for key in keys]
        page: dict[str, Any] = {"Versions": versions}
        if more:
            page |= {"IsTruncated": True, "NextKeyMarker": keys[-1], "NextVersionIdMarker": "1"}
        return page

    def head_object(self, **query: Any) -> dict[str, Any]:
        """Return the metadata of an object."""
        self.requests["HEAD"] += 1
        entry = entry_of(query["Key"])
        assert entry is not None
        log, position = entry
        number = self._first(log) + position
        summary = ObjectSummary(
            first=number + 1,
            last=number + 1,
            arrived_ms=self._arrived_ms(number),
            previous=number if position else None,
            records=1,
            good=1,
            bad=0,
            duplicate=0,
        )
        return {"Metadata": summary.metadata() | {"sha256": ""}}

    def get_object(self, **query: Any) -> dict[str, Any]:
        """Return the body of an object."""
        self.requests["GET"] += 1
        return {"Body": io.BytesIO(self.stored.get(query["Key"], self.body))}

    def put_object(self, **query: Any) -> Mapping[str, Any]:
        """Store an object."""
        self.requests["PUT"] += 1
        self.stored[query["Key"]] = query["Body"]
        return {}

    def _arrived_ms(self, number: int) -> int:
        return round((self.start + number * self.interval).timestamp() * 1000)

    def _number(self, at: datetime) -> int:
        """Return the number of the first object from a time on."""
        return min(max(-((self.start - at) // self.interval), 0), self.count)

    def _page(self, prefix: str, after: str) -> tuple[list[str], bool]:
        """Return up to 1,000 keys that follow `after`, and whether there are more."""
        name = prefix.partition("/")[0]
        if name not in self.prefixes:
            keys = sorted(it for it in self.stored if it.startswith(prefix) and it > after)
            return keys[:PAGE_KEYS], len(keys) > PAGE_KEYS
        since, until = self._span(prefix)
        numbers = range(self._number(since), self._number(until))
        position = bisect_right(numbers, after, key=lambda number: self.key(name, number))
        rest = numbers[position:]
        return [self.key(name, number) for number in rest[:PAGE_KEYS]], len(rest) > PAGE_KEYS

    def _span(self, prefix: str) -> tuple[datetime, datetime]:
        """Return the times that a key prefix covers: all, a day or an hour."""
        match = _FOLDER.match(prefix)
        if match is None:
            return self.start, self.end
        day = datetime.fromisoformat(match[1]).replace(tzinfo=UTC)
        if match[2] is None:
            return day, day + timedelta(days=1)
        return day + timedelta(hours=int(match[2])), day + timedelta(hours=int(match[2]) + 1)

    def _folders(self, prefix: str) -> list[str]:
        """Return the folders of dates with objects; the commands list no others."""
        days = range((self.end - self.start).days)
        return [f"{prefix}date={self.start + timedelta(days=day):%Y-%m-%d}/" for day in days]
