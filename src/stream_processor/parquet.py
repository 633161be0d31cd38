"""Tables to Parquet and back: zstd level 1, plain columns that DuckDB, Athena and Spark all read.

Level 1: levels 3 and 6 made no smaller files of this data and cost two to three times the CPU.
"""

from collections.abc import Sequence
from typing import Final

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
    }
)

#: Rows of a group: what is being encoded is in memory a second time.
_GROUP_ROWS: Final = 10_000


def write(table: pa.Table) -> bytes:
    """Rows as a Parquet file. The same rows give the same bytes."""
    sink = pa.BufferOutputStream()
    names = table.schema.names
    pq.write_table(
        table,
        sink,
        compression="zstd",
        compression_level=1,
        row_group_size=_GROUP_ROWS,
        use_dictionary=[name for name in names if name not in _UNIQUE],
        write_statistics=[name for name in names if name in _PRUNED],
        # The lake's own types say it all; Arrow's copy of the schema would bind readers to Arrow.
        store_schema=False,
    )
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return] # pyarrow has no types


def read(body: bytes, columns: Sequence[str] | None = None) -> pa.Table:
    """Some or all columns of a file that `write` made; columns that it lacks are left out."""
    file = pq.ParquetFile(pa.BufferReader(body))
    known = file.schema_arrow.names
    return file.read(columns=[c for c in columns if c in known] if columns is not None else None)
