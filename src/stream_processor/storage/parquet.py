"""Encode Arrow tables as Parquet (zstd level 1) that DuckDB, Athena and Spark read, and back.

Levels 3 and 6 made no smaller files of this data and cost two to three times the CPU.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

#: Columns of unique values: a dictionary would be built, abandoned and rewritten as plain values.
_UNIQUE: Final = frozenset(
    {"message_id", "timestamp", "event_json", "raw", "old_image_json", "new_image_json", "event_id"}
)
#: Columns that queries filter by; statistics of the others would only cost bytes.
_PRUNED: Final = frozenset(
    {
        "verdict",
        "type",
        "event",
        "timestamp",
        "received_at",
        "source",
        "country",
        "changed_at",
        "op",
        "object_id",
    }
)

#: The row group that is being encoded is in memory twice.
_ROW_GROUP_ROWS: Final = 10_000


def write(table: pa.Table) -> bytes:
    """Encode rows as a Parquet file. Equal rows give equal bytes."""
    return write_all([table], table.schema, _ROW_GROUP_ROWS)


def write_all(tables: Iterable[pa.Table], schema: pa.Schema, group_rows: int) -> bytes:
    """Encode several tables as one Parquet file; a row group never spans two tables."""
    sink = pa.BufferOutputStream()
    names = schema.names
    with pq.ParquetWriter(
        sink,
        schema,
        compression="zstd",
        compression_level=1,
        use_dictionary=[name for name in names if name not in _UNIQUE],
        write_statistics=[name for name in names if name in _PRUNED],
        # Parquet's own types suffice; Arrow's copy of the schema would tie readers to Arrow.
        store_schema=False,
    ) as file:
        for table in tables:
            file.write_table(table, row_group_size=group_rows)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return] # pyarrow has no types


class Shape(NamedTuple):
    """Row count and column names from a file's footer."""

    rows: int
    names: frozenset[str]


def shape(body: bytes) -> Shape | None:
    """Read row count and columns from a file's footer; None if it isn't a Parquet file."""
    try:
        metadata = pq.read_metadata(pa.BufferReader(body))
    except pa.ArrowInvalid:
        return None
    return Shape(metadata.num_rows, frozenset(metadata.schema.names))


class Footer(NamedTuple):
    """Row count, and the first and last time (Unix microseconds) of some columns."""

    rows: int
    bounds: Mapping[str, tuple[int, int]]


def footer(end: bytes, times: Sequence[str]) -> Footer | None:
    """Read the footer in the end of a file; None if it isn't there, or isn't Parquet's.

    A column has no bounds if it has no value, or if a row group has no statistics of it.
    """
    try:
        metadata = pq.read_metadata(pa.BufferReader(end))
    except (pa.ArrowInvalid, OSError):
        return None
    names = metadata.schema.names
    bounds: dict[str, tuple[int, int]] = {}
    for name in set(times) & set(names):
        groups = [
            (group.num_rows, group.column(names.index(name)).statistics)
            for group in map(metadata.row_group, range(metadata.num_row_groups))
        ]
        used = [it for rows, it in groups if it is None or it.null_count != rows]
        if used and all(it is not None and it.has_min_max for it in used):
            both = (min(it.min for it in used), max(it.max for it in used))
            first, last = (_microseconds(it) for it in both)
            bounds[name] = (first, last)
    return Footer(metadata.num_rows, bounds)


def _microseconds(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)


_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_MAGIC: Final = b"PAR1"
#: At the end of a file: the length of the footer, and the magic bytes.
_TRAILER_BYTES: Final = 8


def padded(body: bytes, size: int) -> bytes:
    """Return a Parquet file with zeros before its footer, so that it has `size` bytes.

    A reader finds the footer from the end, and everything else by offsets in it. A larger file
    stays as it is.
    """
    end = len(body) - _TRAILER_BYTES
    start = end - int.from_bytes(body[end : end + 4], "little")
    assert body.endswith(_MAGIC)
    assert start > 0
    return body[:start] + bytes(max(0, size - len(body))) + body[start:]


def value_counts(table: pa.Table, column: str) -> Counter[str]:
    """Return how many rows have each value of a text column."""
    counts: Counter[str] = Counter()
    for pair in table.column(column).value_counts().to_pylist():
        counts[pair["values"]] += pair["counts"]
    return counts


def count_distinct(table: pa.Table, column: str) -> int:
    """Return the number of distinct values of a text column."""
    return len(table.column(column).unique())


def verdicts(body: bytes) -> Counter[str]:
    """Return how many rows of a file have each verdict; empty if it isn't a Parquet file."""
    try:
        return value_counts(read(body, ["verdict"]), "verdict")
    except (pa.ArrowInvalid, KeyError):
        return Counter()


def read(body: bytes, columns: Sequence[str] | None = None) -> pa.Table:
    """Decode some or all columns of a Parquet file; columns that it lacks are left out.

    It uses no thread of Arrow's pool. Such a thread can abort the process while it exits
    (https://github.com/apache/arrow/issues/34314), and two of them decode no faster than one.
    """
    file = pq.ParquetFile(pa.BufferReader(body))
    present = file.schema_arrow.names
    wanted = [c for c in columns if c in present] if columns is not None else None
    return file.read(wanted, use_threads=False)
