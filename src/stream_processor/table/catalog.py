"""The table in the AWS Glue Data Catalog: its schema, its properties, and its conditional commit.

Glue refuses an update of a table whose `VersionId` isn't the newest one ("UpdateTable", AWS Glue
API), so of two commits on one snapshot one fails. pyiceberg's own repetition of a refused commit
is off: it adds the files again without a look at those of the other commit.
"""

from functools import cache
from typing import Any, Final

import pyarrow as pa
from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.exceptions import NoSuchTableError, TableAlreadyExistsError
from pyiceberg.io import FileIO
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.table.name_mapping import create_mapping_from_schema
from pyiceberg.types import (
    BinaryType,
    BooleanType,
    IcebergType,
    IntegerType,
    LongType,
    NestedField,
    StringType,
    TimestamptzType,
)

from stream_processor.rows.lake_schema import COMPACTED
from stream_processor.storage.s3 import Bucket
from stream_processor.table.file_io import LakeFileIO, location_of

TABLE: Final = "events_iceberg"
#: Prefix of the table's metadata in the lake's bucket.
PREFIX: Final = "iceberg/events"

_TYPES: Final[dict[pa.DataType, IcebergType]] = {
    pa.string(): StringType(),
    pa.bool_(): BooleanType(),
    pa.int32(): IntegerType(),
    pa.int64(): LongType(),
    pa.binary(): BinaryType(),
    pa.timestamp("ms", "UTC"): TimestamptzType(),
}
#: Manifests that are merged into one, so that a query reads few of them.
MERGED_MANIFESTS: Final = 50


def schema() -> Schema:
    """Return the table's schema: the columns of `events` and of compacted files.

    They are only ever appended. A reader can refuse a file with a column that isn't in the schema,
    so it has the column `hour_rows` of compacted files, too.
    """
    fields = (
        NestedField(number, column.name, _TYPES[column.type], required=False)
        for number, column in enumerate(COMPACTED, 1)
    )
    return Schema(*fields)


def _properties() -> dict[str, str]:
    return {
        "format-version": "2",
        "commit.retry.num-retries": "0",
        "commit.manifest.min-count-to-merge": str(MERGED_MANIFESTS),
        # The objects have no field ids: readers find the columns by their names.
        "schema.name-mapping.default": create_mapping_from_schema(schema()).model_dump_json(),
        # A reader that writes puts no values of a column into the metadata.
        "write.metadata.metrics.default": "none",
    }


@cache
def _client() -> Any:
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=3, read_timeout=15, retries={"mode": "standard", "max_attempts": 4}
    )
    return boto3.client("glue", config=config)


class LakeCatalog(GlueCatalog):
    """The Glue catalog of one stage's database, with metadata in the lake's bucket."""

    def __init__(self, bucket: Bucket, database: str, glue: Any = None) -> None:
        super().__init__("lake", client=glue if glue is not None else _client())
        self._bucket = bucket
        self._name = (database, TABLE)

    def _load_file_io(self, *_: Any, **__: Any) -> FileIO:
        return LakeFileIO(self._bucket)

    def find(self) -> Table | None:
        """Return the table with its newest snapshot, or None."""
        try:
            return self.load_table(self._name)
        except NoSuchTableError:
            return None

    def find_or_create(self) -> Table:
        """Return the table with its newest snapshot; create it, or columns that it lacks."""
        table = self.find()
        if table is None:
            location = location_of(self._bucket, PREFIX)
            try:
                table = self.create_table(self._name, schema(), location, properties=_properties())
            except TableAlreadyExistsError:  # by another run
                table = self.load_table(self._name)
        known = {it.name for it in table.schema().fields}
        missing = [it for it in schema().fields if it.name not in known]
        if missing:
            with table.update_schema() as update:
                for column in missing:
                    update.add_column(column.name, column.field_type)
        return table
