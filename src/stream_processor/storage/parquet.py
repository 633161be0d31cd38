"""Encode Arrow tables as Parquet (zstd level 1) that DuckDB, Athena and Spark read, and back.

Levels 3 and 6 made no smaller files of this data and cost two to three times the CPU.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
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
    """Decode some or all columns of a Parquet file; columns that it lacks are left out."""
    file = pq.ParquetFile(pa.BufferReader(body))
    present = file.schema_arrow.names
    return file.read(columns=[c for c in columns if c in present] if columns is not None else None)
