"""Find the anonymous ids of a person's browsers, in slices."""

from collections.abc import Callable, Collection
from typing import Final, NamedTuple

from stream_processor.erasure import person as persons
from stream_processor.storage import lake_keys, parquet
from stream_processor.storage.position import BEGIN, Position
from stream_processor.storage.s3 import Bucket

#: Reading all events for the ids, and then again for others who came with them.
_OWN: Final = "own"
_SHARED: Final = "shared"
_COLUMNS: Final = ("user_id", "anonymous_id")


class Visitors(NamedTuple):
    """The anonymous ids of a person's browsers, and those of them with which others signed in."""

    visitors: list[str]
    shared: list[str]


def find(lake: Bucket, ids: Collection[str]) -> Visitors:
    """Return the anonymous ids with which the person's events came.

    Raises:
        StorageError: S3 failed.
    """
    result, _ = find_slice(lake, ids, Visitors([], []), BEGIN, lambda: True)
    return result


def find_slice(
    lake: Bucket,
    ids: Collection[str],
    known: Visitors,
    start: Position,
    has_time: Callable[[], bool],
) -> tuple[Visitors, Position | None]:
    """Read events from a position until the time is over; return the next one, None at the end.

    `known` are the ids that earlier slices found; the result has them, too.

    Raises:
        StorageError: S3 failed.
    """
    users, own, shared = frozenset(ids), set(known.visitors), set(known.shared)
    for stage in (_OWN, _SHARED):
        if start.stage == _SHARED and stage == _OWN:
            continue
        if stage == _SHARED and not own:
            break
        after = start.after if stage == start.stage else ""
        for key in lake.keys(f"{lake_keys.EVENTS}/", after):
            if not key.endswith(lake_keys.SUFFIX):
                continue
            table = parquet.read(lake.read(key), _COLUMNS)
            if stage == _OWN:
                own |= persons.visitors_of(table, users)
            else:
                shared |= persons.shared_visitors(table, users, own)
            if not has_time():
                return Visitors(sorted(own), sorted(shared)), Position(stage, key)
    return Visitors(sorted(own), sorted(shared)), None
