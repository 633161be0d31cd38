"""Query copies of the data lake's objects with DuckDB. Amazon Athena runs the same SQL files."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import duckdb

from aws_emulator.errors import CommandError

QUERIES: Final = Path(__file__).with_name("queries")

#: The columns that the queries read, with the lake's types.
COLUMNS: Final = {
    "verdict": "VARCHAR",
    "reason_code": "VARCHAR",
    "message_id": "VARCHAR",
    "anonymous_id": "VARCHAR",
    "timestamp": "TIMESTAMPTZ",
    "received_at": "TIMESTAMPTZ",
    "page_path": "VARCHAR",
    "bot": "BOOLEAN",
    "country": "VARCHAR",
    "ip": "VARCHAR",
}


class Tables:
    """Tables `lake` (all rows), `sent` (the ledger) and `events` (the rows of this replay)."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def query(self, name: str) -> list[dict[str, Any]]:
        """Run `queries/<name>.sql`; return its rows as dictionaries."""
        return self.run((QUERIES / f"{name}.sql").read_text(encoding="utf-8"))

    def run(self, statement: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
        """Run a statement; return its rows as dictionaries."""
        result = self._connection.execute(statement, list(parameters))
        names = [column[0] for column in result.description or ()]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


@contextmanager
def open_tables(
    objects: Sequence[Path],
    ledger: Path,
    since: datetime,
    stored_at: Mapping[Path, datetime] | None = None,
) -> Iterator[Tables]:
    """Open the objects and the ledger of a replay that began at `since`.

    `stored_at` has the times at which objects were stored, as far as they are known. They become
    the table `objects`.

    The lake may contain other rows too. `events` has the good rows with a message id of this
    replay, which an earlier replay of the same log may have stored, and the duplicate and bad rows
    that arrived since then.

    Raises:
        CommandError: An object isn't Parquet or lacks a column.
    """
    with duckdb.connect(":memory:") as connection:
        try:
            _create(connection, objects, ledger, since)
            _create_objects(connection, stored_at or {})
        except duckdb.Error as error:
            reason = str(error).partition("\n")[0][:200]
            raise CommandError(
                f"Can't read the data lake's objects: {reason.rstrip('.')}. Delete an object that "
                "another program wrote."
            ) from error
        yield Tables(connection)


def _create(
    connection: duckdb.DuckDBPyConnection, objects: Sequence[Path], ledger: Path, since: datetime
) -> None:
    # The emulator needs CPU too. UTC makes the hours independent of the machine's time zone.
    connection.execute("SET TimeZone = 'UTC'; SET threads = 2")
    # Athena reads timestamp[ms, UTC] as a timestamp without time zone, so this does too.
    columns = ", ".join(
        f'"{name}" AT TIME ZONE \'UTC\' AS "{name}"' if kind == "TIMESTAMPTZ" else f'"{name}"'
        for name, kind in COLUMNS.items()
    )
    if objects:
        connection.execute(
            f"CREATE TABLE lake AS SELECT {columns}, filename "  # noqa: S608 - constant column names
            "FROM read_parquet($1, union_by_name = true, filename = true)",
            [[str(path) for path in objects]],
        )
    else:
        typed = ", ".join(
            f'"{name}" {"TIMESTAMP" if kind == "TIMESTAMPTZ" else kind}'
            for name, kind in COLUMNS.items()
        )
        connection.execute(f"CREATE TABLE lake ({typed}, filename VARCHAR)")
    connection.execute(
        "CREATE TABLE sent AS SELECT message_id, outcome FROM read_csv($1, header = true, "
        "all_varchar = true, delim = ',', quote = '\"', escape = '\"', new_line = '\\r\\n')",
        [str(ledger)],
    )
    # A row of an earlier replay counts once, unless this replay stored the event too.
    connection.execute(
        """
        CREATE TABLE events AS
        SELECT * FROM lake WHERE received_at >= $1
        AND (verdict <> 'good' OR message_id IN (SELECT message_id FROM sent))
        UNION ALL BY NAME
        SELECT * FROM lake WHERE verdict = 'good' AND received_at < $1
        AND message_id IN (SELECT message_id FROM sent)
        AND message_id NOT IN (
            SELECT message_id FROM lake
            WHERE verdict = 'good' AND received_at >= $1 AND message_id IS NOT NULL
        )
        QUALIFY row_number() OVER (PARTITION BY message_id ORDER BY received_at DESC) = 1
        """,
        [since.replace(tzinfo=None)],
    )


def _create_objects(
    connection: duckdb.DuckDBPyConnection, stored_at: Mapping[Path, datetime]
) -> None:
    connection.execute("CREATE TABLE objects (filename VARCHAR, stored_at TIMESTAMP)")
    rows = [[str(path), at.astimezone(UTC).replace(tzinfo=None)] for path, at in stored_at.items()]
    if rows:
        connection.executemany("INSERT INTO objects VALUES ($1, $2)", rows)
