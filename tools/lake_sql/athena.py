"""Generate the template of Athena's workgroup, saved queries and views from the lake's SQL.

`python -m tools.lake_sql.athena` writes stacks/lake-queries.yaml from lake/views and lake/queries.
A test compares the file with them.

A view of Athena is a Glue table with `TableType: VIRTUAL_VIEW` and an encoded definition. Athena
has no page about the encoding; it is that of Trino, Athena's engine (trino-hive, `ViewReaderUtil`:
`/* Presto View: <base64 of a JSON document> */`), and of the table that CREATE VIEW makes.
"""

import json
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import duckdb

from tools.lake_sql.tables import VIEWS, columns
from tools.paths import ROOT

TEMPLATE: Final = ROOT / "stacks" / "lake-queries.yaml"
QUERIES: Final = ROOT / "lake" / "queries"
#: DuckDB's types → the types of the Data Catalog, and of Athena's engine.
TYPES: Final = {
    "VARCHAR": ("string", "varchar"),
    "BOOLEAN": ("boolean", "boolean"),
    "INTEGER": ("int", "integer"),
    "BIGINT": ("bigint", "bigint"),
    "DOUBLE": ("double", "double"),
    "TIMESTAMP WITH TIME ZONE": ("timestamp", "timestamp(3)"),
    "BLOB": ("binary", "varbinary"),
}
_WIDTH: Final = 150
_STATEMENT: Final = re.compile(r"CREATE OR REPLACE VIEW \w+ AS\s+(.*)", re.DOTALL)
_HEAD: Final = """\
AWSTemplateFormatVersion: '2010-09-09'
# Generated from lake/views and lake/queries by `python -m tools.lake_sql.athena`.
Description: Athena's workgroup, saved queries and views of the lake.

Parameters:
  Stage: {Type: String}
  LakeDatabase: {Type: String}
  QueryScanLimitBytes: {Type: Number}

Resources:
  QueryWorkGroup:
    Type: AWS::Athena::WorkGroup
    Properties:
      Name: !Sub meridian-${Stage}
      Description: Queries of the data lake.
      # A deletion includes saved queries of users; Athena refuses it otherwise.
      RecursiveDeleteOption: true
      WorkGroupConfiguration:
        EnforceWorkGroupConfiguration: true
        BytesScannedCutoffPerQuery: !Ref QueryScanLimitBytes
        # Athena encrypts the results and deletes them after 24 hours. No bucket keeps them.
        ManagedQueryResultsConfiguration: {Enabled: true}
        PublishCloudWatchMetricsEnabled: true
        EngineVersion: {SelectedEngineVersion: Athena engine version 3}
      Tags: [{Key: stage, Value: !Ref Stage}]
"""
_QUERY: Final = """
  {name}Query:
    Type: AWS::Athena::NamedQuery
    Properties:
      Name: {stem}
      Description: {description}
      Database: !Ref LakeDatabase
      WorkGroup: !Ref QueryWorkGroup
      QueryString: |
{text}
"""
_VIEW: Final = """
  {name}View:
    Type: AWS::Glue::Table
    Properties:
      CatalogId: !Ref AWS::AccountId
      DatabaseName: !Ref LakeDatabase
      TableInput:
        Name: {stem}
        Description: {description}
        TableType: VIRTUAL_VIEW
        Parameters: {{presto_view: 'true', comment: Presto View}}
        ViewExpandedText: /* Presto View */
        ViewOriginalText: !Join
          - ''
          - - '/* Presto View: '
            - Fn::Base64: !Sub >-
{definition}
            - ' */'
        StorageDescriptor:
          SerdeInfo: {{}}
          Columns:
{columns}
"""


def template() -> str:
    """Return the template's text."""
    parts = [_HEAD]
    for path in sorted(QUERIES.glob("*.sql")):
        text = path.read_text()
        parts.append(
            _QUERY.format(
                name=_logical_id(path),
                stem=path.stem,
                description=json.dumps(description(text)),
                text=textwrap.indent(text.rstrip("\n"), " " * 8),
            )
        )
    view_columns = dict(_columns_of_views())
    for path in sorted(VIEWS.glob("*.sql")):
        text = path.read_text()
        typed = view_columns[path.stem]
        glue = [f"{{Name: {name}, Type: {TYPES[kind][0]}}}" for name, kind in typed.items()]
        parts.append(
            _VIEW.format(
                name=_logical_id(path),
                stem=path.stem,
                description=json.dumps(description(text)),
                definition=_wrapped(_definition(text, typed), " " * 16),
                columns=_wrapped(f"[{', '.join(glue)}]", " " * 12),
            )
        )
    return "".join(parts)


def description(text: str) -> str:
    """Return the first sentence of the comment at the beginning of a file."""
    lines = text.splitlines()
    comment = " ".join(line.removeprefix("--").strip() for line in _comments(lines))
    return re.split(r"(?<=\.)\s", comment, maxsplit=1)[0]


def statement_of(text: str) -> str:
    """Return the SELECT statement of a view's file in one line, without comments.

    Raises:
        ValueError: The file isn't one CREATE VIEW statement, or has a string with a double quote or
            two spaces, which the line wouldn't keep.
    """
    code = "\n".join(line.partition("--")[0] for line in text.splitlines()).strip()
    match = _STATEMENT.fullmatch(code)
    strings = re.findall(r"'[^']*'", code)
    if match is None or any(re.search(r"\s\s|[\"\\\n]", it) for it in strings):
        raise ValueError("Write one CREATE OR REPLACE VIEW statement with plain strings.")
    return " ".join(match[1].split())


def _comments(lines: list[str]) -> Iterator[str]:
    for line in lines:
        if not line.startswith("--"):
            return
        yield line


def _definition(text: str, typed: dict[str, str]) -> str:
    engine = [{"name": name, "type": TYPES[kind][1]} for name, kind in typed.items()]
    return json.dumps(
        {
            "originalSql": statement_of(text),
            "catalog": "awsdatacatalog",
            "schema": "${LakeDatabase}",
            "columns": engine,
        }
    )


def _columns_of_views() -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each view's name and its columns with DuckDB's types."""
    with duckdb.connect(":memory:") as connection:
        for name, typed in columns().items():
            listed = ", ".join(f'"{column}" {kind}' for column, kind in typed.items())
            connection.execute(f"CREATE TABLE {name} ({listed})")
        for path in sorted(VIEWS.glob("*.sql")):
            connection.execute(path.read_text())
            described = connection.execute(f"DESCRIBE {path.stem}").fetchall()
            yield path.stem, {str(row[0]): str(row[1]) for row in described}


def _logical_id(path: Path) -> str:
    return "".join(word.capitalize() for word in path.stem.split("_"))


def _wrapped(text: str, indent: str) -> str:
    lines = textwrap.wrap(
        text, _WIDTH - len(indent), break_long_words=False, break_on_hyphens=False
    )
    return textwrap.indent("\n".join(lines), indent)


if __name__ == "__main__":
    TEMPLATE.write_text(template())
