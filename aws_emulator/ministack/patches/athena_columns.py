"""Give the rows of a query the hidden columns of their object: its path and its time.

Gap: `"$path"` and `"$file_modified_time"` are unknown columns.
Seen in: ministack 1.5.33, services/athena.py, _table_relation.
Delete when: a query of `"$path"` and `"$file_modified_time"` returns the objects of a table.

Sources: Athena User Guide, "Get the file locations for source data in Amazon S3"; Trino, Hive
connector, "Metadata columns". Tables in Parquet have them, in a query that names one.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlparse

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

_NAMED: Final = re.compile(r'"\$(?:path|file_modified_time)"')
_NO_VALUES: Final = """'' AS "$path", '' AS "$file_modified_time" """
_PARQUET: Final = "union_by_name = true, "
#: The folder of a query's copies of a table's objects.
_FOLDER: Final = re.compile(r"^.*?/ministack-athena-[^/]+/")
#: Whether the query of this task names a hidden column.
_WANTED: Final[ContextVar[bool]] = ContextVar("wanted", default=False)


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Add the columns to tables in Parquet."""
    athena = Symbols(
        "ministack.services.athena", "_empty_relation", "_rewrite_data_paths", "_table_relation"
    )
    s3 = Symbols("ministack.services.s3", "_buckets")

    def rewriting(original: Callable[..., Any]) -> Callable[..., Any]:
        async def rewrite(query: str, *arguments: Any) -> Any:
            _WANTED.set(bool(_NAMED.search(query)))
            return await original(query, *arguments)

        return rewrite

    def relating(original: Callable[..., str]) -> Callable[..., str]:
        def relation(table: Mapping[str, Any], files: list[str]) -> str:
            # Another patch reads the columns of the empty table within.
            token = _WANTED.set(False)
            rows = original(table, files)
            _WANTED.reset(token)
            if not _WANTED.get() or _PARQUET not in rows:
                return rows
            location = str(table["StorageDescriptor"]["Location"]).rstrip("/")
            objects = s3["_buckets"][urlparse(location).netloc]["objects"]
            return with_columns(rows, list(_entries(files, location, objects)))

        return relation

    def without_rows(original: Callable[..., str]) -> Callable[..., str]:
        def relation(table: Mapping[str, Any]) -> str:
            rows = original(table)
            if not _WANTED.get():
                return rows
            return f"(SELECT *, {_NO_VALUES} FROM {rows})"  # noqa: S608 - not a query of a user

        return relation

    athena.wrap("_empty_relation", without_rows)
    athena.wrap("_rewrite_data_paths", rewriting)
    athena.wrap("_table_relation", relating)


def _entries(
    files: list[str], location: str, objects: Mapping[str, Any]
) -> Iterator[tuple[str, str, str]]:
    """Yield each file, the path of its object, and the time of its object."""
    for file in files:
        path = f"{location}/{_FOLDER.sub('', file)}"
        changed = datetime.fromisoformat(objects[urlparse(path).path[1:]]["last_modified"])
        yield file, path, f"{changed:%Y-%m-%d %H:%M:%S}.{changed.microsecond // 1000:03} UTC"


def with_columns(rows: str, entries: list[tuple[str, str, str]]) -> str:
    """Return a relation with the columns of each row's object. Pure."""
    quoted = [[it.replace("'", "''") for it in entry] for entry in entries]
    # MiniStack replaces whole strings that begin with s3:// by paths of the machine.
    values = ", ".join(
        f"('{file}', 's3:' || '{path.removeprefix('s3:')}', '{changed}')"
        for file, path, changed in quoted
    )
    named = rows.replace(_PARQUET, f"{_PARQUET}filename = true, ")
    return (
        f"(SELECT * EXCLUDE (filename) FROM {named} JOIN (VALUES {values}) "  # noqa: S608 - quoted
        'AS object (filename, "$path", "$file_modified_time") USING (filename))'
    )
