"""Find a person's rows in the lake, in slices, for the export of everything about the person."""

import base64
import gzip
import json
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final, NamedTuple

from stream_processor.erasure import person as persons
from stream_processor.erasure.person import Person
from stream_processor.storage import lake_keys, parquet
from stream_processor.storage.position import BEGIN, Position
from stream_processor.storage.s3 import Bucket

_STAGES: Final = (lake_keys.EVENTS, lake_keys.CHANGES)
#: Bytes of rows after which a slice ends. Lambda, "Quotas": a response has at most 6 MB, which
#: these fit into even if they don't compress.
MAX_BYTES: Final = 3_000_000
#: Between the key that a slice has begun and the number of its rows that are done.
_ROWS_DONE: Final = "#"


class Slice(NamedTuple):
    """The rows of a slice, as JSON lines in gzip in base64, and where the next one begins."""

    rows: str
    position: Position | None


def find_slice(
    lake: Bucket, person: Person, start: Position, has_time: Callable[[], bool]
) -> Slice:
    """Read from a position until the time is over or MAX_BYTES are found.

    Raises:
        StorageError: S3 failed.
    """
    lines: list[bytes] = []
    size, position = 0, None
    for stage, key, done in _keys(lake, start):
        table = parquet.read(lake.read(key))
        numbers = persons.rows_of(table, person)
        for row_index, number in enumerate(numbers[done:], done):
            line = _line(stage, table.slice(number, 1).to_pylist()[0])
            if lines and size + len(line) > MAX_BYTES:
                return Slice(_packed(lines), Position(stage, f"{key}{_ROWS_DONE}{row_index}"))
            lines.append(line)
            size += len(line)
        position = Position(stage, key)
        if not has_time():
            return Slice(_packed(lines), position)
    return Slice(_packed(lines), None)


def _keys(lake: Bucket, start: Position) -> Iterator[tuple[str, str, int]]:
    """Yield the stage, the key, and the number of the person's rows in it that are done."""
    begun, _, done = start.after.partition(_ROWS_DONE)
    first = _STAGES.index(start.stage) if start != BEGIN else 0
    if done:
        yield start.stage, begun, int(done)
    for stage in _STAGES[first:]:
        after = begun if stage == start.stage else ""
        for key in lake.keys(f"{stage}/", after):
            if key.endswith(lake_keys.SUFFIX):
                yield stage, key, 0


def _line(stage: str, row: dict[str, Any]) -> bytes:
    known = {name: it for name, it in row.items() if it is not None}
    text = json.dumps({"table": stage, **known}, default=_text, ensure_ascii=False)
    return text.encode("utf-8", "replace") + b"\n"


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _packed(lines: list[bytes]) -> str:
    return base64.b64encode(gzip.compress(b"".join(lines), mtime=0)).decode()
