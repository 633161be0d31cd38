"""Let Athena's queries use views of the Data Catalog, and return values in Athena's format.

Gap: a query doesn't find a view, so it fails. A column that no object has is unknown, a time with a
time zone can't be returned, and others aren't in Athena's format. The metadata of an Apache Iceberg
table is read as CSV.
Seen in: ministack 1.5.33, services/athena.py, _rewrite_data_paths, _table_relation and _run_duckdb.
Delete when: Athena answers the queries of contracts_athena.athena_views.

Sources: Trino, `ViewReaderUtil` (the encoding of a view); Athena User Guide, "Data types in Amazon
Athena" (`timestamp`: milliseconds, without a time zone).
"""

import base64
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

_BEGIN: Final = "/* Presto View: "
_END: Final = " */"


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Replace each view in a query by its statement, and format the results."""
    athena = Symbols(
        "ministack.services.athena",
        *("_empty_relation", "_rewrite_data_paths", "_run_duckdb"),
        *("_table_references", "_table_relation"),
    )
    glue = Symbols("ministack.services.glue", "_tables")

    def rewriting(original: Callable[..., Any]) -> Callable[..., Any]:
        async def rewrite(query: str, database: str, *rest: Any) -> Any:
            return await original(_expanded(query, database, athena, glue), database, *rest)

        return rewrite

    def running(original: Callable[..., Any]) -> Callable[..., Any]:
        async def run(*arguments: Any) -> Any:
            results = await original(*arguments)
            rows = [[formatted(it) for it in row] for row in results["rows"]]
            return {**results, "rows": rows}

        return run

    athena.wrap("_rewrite_data_paths", rewriting)
    athena.wrap("_run_duckdb", running)
    athena.wrap("_table_relation", lambda it: _with_all_columns(athena, it))


def definition(table: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the definition of a view, or None for a table. Pure.

    Raises:
        ValueError: The view isn't encoded as Trino encodes it.
    """
    if table.get("TableType") != "VIRTUAL_VIEW":
        return None
    text = str(table.get("ViewOriginalText", ""))
    is_flagged = (table.get("Parameters") or {}).get("presto_view") == "true"
    if not (is_flagged and text.startswith(_BEGIN) and text.endswith(_END)):
        raise ValueError(f"Invalid view: {table.get('Name')}")
    decoded: dict[str, Any] = json.loads(base64.b64decode(text[len(_BEGIN) : -len(_END)]))
    return decoded


def formatted(value: Any) -> Any:
    """Return a value of a result as Athena writes it. Pure."""
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="milliseconds")
    return value


def _expanded(query: str, database: str, athena: Symbols, glue: Symbols) -> str:
    """Replace views by their statements.

    Raises:
        ValueError: A view isn't valid, or a table is an Iceberg table.
    """
    edits = []
    for reference in athena["_table_references"](query):
        schema = reference.database or database or "default"
        table = glue["_tables"].get(f"{schema}/{reference.table}") or {}
        if (table.get("Parameters") or {}).get("table_type", "").upper() == "ICEBERG":
            raise ValueError(
                f"The emulator's Athena doesn't read the Iceberg table {reference.table}. Read it "
                "with pyiceberg."
            )
        view = definition(table)
        if view is not None:
            statement = _expanded(view["originalSql"], view["schema"], athena, glue)
            statement = _qualified(statement, view["schema"], athena)
            alias = "" if reference.aliased else f' AS "{reference.table}"'
            edits.append((reference.start, reference.end, f"({statement}){alias}"))
    return _edited(query, edits)


def _qualified(statement: str, schema: str, athena: Symbols) -> str:
    """Name the database of each table in a statement."""
    edits = []
    for reference in athena["_table_references"](statement):
        if reference.database is None and _is_table(statement, reference):
            alias = "" if reference.aliased else f' AS "{reference.table}"'
            name = f'"{schema}"."{reference.table}"{alias}'
            edits.append((reference.start, reference.end, name))
    return _edited(statement, edits)


def _is_table(statement: str, reference: Any) -> bool:
    """Return whether a name isn't that of a WITH clause within an expanded view."""
    return f"{reference.table} AS (" not in statement


def _edited(text: str, edits: list[tuple[int, int, str]]) -> str:
    for start, end, replacement in sorted(edits, reverse=True):
        text = text[:start] + replacement + text[end:]
    return text


def _with_all_columns(athena: Symbols, original: Callable[..., str]) -> Callable[..., str]:
    def relation(table: Mapping[str, Any], files: list[str]) -> str:
        rows = original(table, files)
        columns = (table.get("StorageDescriptor") or {}).get("Columns") or []
        if not rows.startswith("read_parquet(") or not columns:
            return rows
        times = [it["Name"] for it in columns if it["Type"] == "timestamp"]
        values = ", ".join(f'make_timestamp(epoch_us("{it}")) AS "{it}"' for it in times)
        replaced = f"REPLACE ({values})" if times else ""
        # The second part has no rows, and the columns that the objects lack.
        empty = athena["_empty_relation"](table)
        union = f"SELECT * FROM {rows} UNION ALL BY NAME SELECT * FROM {empty}"  # noqa: S608 - not a query of a user
        return f"(SELECT * {replaced} FROM ({union}))"  # noqa: S608

    return relation
