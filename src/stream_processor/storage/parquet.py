"""Tables to Parquet and back: zstd level 1, plain columns that DuckDB, Athena and Spark all read.

Level 1: levels 3 and 6 made no smaller files of this data and cost two to three times the CPU.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

#: Every value its own: a dictionary would be built, given up and written again as plain values.
_UNIQUE: Final = frozenset(
    {"message_id", "timestamp", "event_json", "raw", "old_image_json", "new_image_json", "event_id"}
)
#: What a question is cut down by; statistics of the rest would only cost bytes.
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
        "hour_rows",
    }
)

#: Rows of a group: what is being encoded is in memory a second time.
_GROUP_ROWS: Final = 10_000


def write(table: pa.Table) -> bytes:
    """Rows as a Parquet file. The same rows give the same bytes."""
    return write_all([table], table.schema, _GROUP_ROWS)


def write_all(tables: Iterable[pa.Table], schema: pa.Schema, group_rows: int) -> bytes:
    """Rows that come a table at a time as one Parquet file; a group is never of two tables."""
    sink = pa.BufferOutputStream()
    names = schema.names
    with pq.ParquetWriter(
        sink,
        schema,
        compression="zstd",
        compression_level=1,
        use_dictionary=[name for name in names if name not in _UNIQUE],
        write_statistics=[name for name in names if name in _PRUNED],
        # The lake's own types say it all; Arrow's copy of the schema would bind readers to Arrow.
        store_schema=False,
    ) as file:
        for table in tables:
            file.write_table(table, row_group_size=group_rows)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return] # pyarrow has no types


class Shape(NamedTuple):
    """What a file says of itself before any of it is decoded."""

    rows: int
    names: frozenset[str]


def shape(body: bytes) -> Shape | None:
    """How many rows a file has, and which columns; None where it is no Parquet file."""
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


def read(body: bytes, columns: Sequence[str] | None = None) -> pa.Table:
    """Some or all columns of a file that `write` made; columns that it lacks are left out."""
    file = pq.ParquetFile(pa.BufferReader(body))
    known = file.schema_arrow.names
    return file.read(columns=[c for c in columns if c in known] if columns is not None else None)
