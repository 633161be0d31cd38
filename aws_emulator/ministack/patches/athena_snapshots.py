"""Let Athena's queries read the snapshots of an Apache Iceberg table.

Gap: the table `"<table>$snapshots"` is unknown.
Seen in: ministack 1.5.33, services/athena.py, _rewrite_data_paths.
Delete when: a query of `"<table>$snapshots"` returns the snapshots in the table's metadata.

Sources: Athena User Guide, "Query Iceberg table metadata"; Trino, Iceberg connector, "$snapshots
table" (the columns); Apache Iceberg, table specification, "Snapshots". A time has no zone here.
`element_at` of a map returns a value, as Trino's does; DuckDB's returns a list.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlparse

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

_SUFFIX: Final = "$snapshots"
_ELEMENT: Final = re.compile(r"\belement_at(?=\s*\()", re.IGNORECASE)
_COLUMNS: Final = "committed_at, snapshot_id, parent_id, operation, manifest_list, summary"


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Replace each table of snapshots in a query by the rows of the table's metadata."""
    athena = Symbols("ministack.services.athena", "_rewrite_data_paths", "_table_references")
    glue = Symbols("ministack.services.glue", "_tables")
    s3 = Symbols("ministack.services.s3", "_get_object_data")

    def rewriting(original: Callable[..., Any]) -> Callable[..., Any]:
        async def rewrite(query: str, database: str, *rest: Any) -> Any:
            return await original(_replaced(query, database, athena, glue, s3), database, *rest)

        return rewrite

    athena.wrap("_rewrite_data_paths", rewriting)


def _replaced(query: str, database: str, athena: Symbols, glue: Symbols, s3: Symbols) -> str:
    edits = []
    for reference in athena["_table_references"](query):
        name = reference.table.removesuffix(_SUFFIX)
        table = glue["_tables"].get(f"{reference.database or database}/{name}") or {}
        location = (table.get("Parameters") or {}).get("metadata_location", "")
        if name == reference.table or not location:
            continue
        parsed = urlparse(location)
        metadata = json.loads(s3["_get_object_data"](parsed.netloc, parsed.path[1:]))
        alias = "" if reference.aliased else f' AS "{reference.table}"'
        edits.append((reference.start, reference.end, snapshots(metadata) + alias))
    for start, end, replacement in sorted(edits, reverse=True):
        query = query[:start] + replacement + query[end:]
    return _ELEMENT.sub("map_extract_value", query) if edits else query


def snapshots(metadata: Mapping[str, Any]) -> str:
    """Return a relation with the snapshots of an Iceberg table's metadata. Pure."""
    rows = [_row(it) for it in metadata.get("snapshots", [])]
    # The first row gives the columns their types, and isn't returned.
    types = (
        "(CAST(NULL AS timestamp), CAST(NULL AS bigint), CAST(NULL AS bigint), "
        "CAST(NULL AS varchar), CAST(NULL AS varchar), CAST(NULL AS map(varchar, varchar)))"
    )
    values = ", ".join([types, *rows])
    return (
        f"(SELECT * FROM (VALUES {values}) AS row_of_metadata ({_COLUMNS}) "  # noqa: S608 - quoted
        "WHERE snapshot_id IS NOT NULL)"
    )


def _row(snapshot: Mapping[str, Any]) -> str:
    summary = dict(snapshot.get("summary") or {})
    operation = summary.pop("operation", "")
    names = ", ".join(_text(it) for it in summary)
    values = ", ".join(_text(it) for it in summary.values())
    parent = snapshot.get("parent-snapshot-id")
    return (
        f"(make_timestamp({int(snapshot['timestamp-ms'])} * 1000), {int(snapshot['snapshot-id'])}, "
        f"{'NULL' if parent is None else int(parent)}, {_text(operation)}, "
        f"{_text(snapshot.get('manifest-list', ''))}, "
        f"CAST(map([{names}], [{values}]) AS map(varchar, varchar)))"
    )


def _text(value: object) -> str:
    quoted = str(value).replace("'", "''")
    # MiniStack replaces whole strings that begin with s3:// by paths of the machine.
    return f"('s3:' || '{quoted[3:]}')" if quoted.startswith("s3:") else f"'{quoted}'"
