"""`python -m tools.lake_sql [QUERY]`: query the local data lake with DuckDB, offline.

Uses the lake of the system that `make up` started, else the one that `make run KEEP=1` kept.
Without a query it reads statements from the terminal; each ends with a semicolon.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import duckdb

from aws_emulator.errors import CommandError
from tools.cli import exit_code
from tools.lake_sql.lake_copy import KEPT, copy_lake
from tools.lake_sql.tables import MARTS, open_flow_logs, open_lake, open_marts, open_regions
from tools.paths import STATE
from tools.stack import RUNNING_SYSTEM_FILE, client, describe_stack, find_running_stack

_COPY: Final = STATE / "sql" / "lake"
_MAX_ROWS: Final = 200
_HELP: Final = (
    "Tables: events, events_compacted, changes. Views: events_once, bad_rows_open,\n"
    "appointments_now, appointments_history; after `make marts` also mart_….\n"
    "Over all Regions: events_once_all_regions, events_all_regions.\n"
    "End a statement with ; and leave with Ctrl-D.\n"
    "Examples are in lake/queries/."
)


def find_lake() -> Path:
    """Return a folder with the objects of the first Region's lake.

    Raises:
        CommandError: No system is running and no lake was kept.
    """
    return next(iter(find_lakes().values()))


def find_lakes(directory: Path = STATE / "up") -> dict[str, Path]:
    """Return each Region's name with a folder of its lake's objects, the home first.

    A kept lake has the name "kept".

    Raises:
        CommandError: No system is running and no lake was kept.
    """
    if find_running_stack(directory) is None:
        if any(KEPT.rglob("*.parquet")):
            print(f"Data lake of the last `make run KEEP=1` ({KEPT}).", file=sys.stderr)
            return {"kept": KEPT}
        raise CommandError("No data lake found. Start `make up`, or run `make run KEEP=1`, first.")
    folders: dict[str, Path] = {}
    for region in json.loads((directory / RUNNING_SYSTEM_FILE).read_text())["regions"]:
        target = find_running_stack(directory, region)
        bucket = describe_stack(target).outputs.get("LakeBucket") if target else None
        if target is None or bucket is None:  # an edge without a stream has no lake
            continue
        folders[region] = _COPY if not folders else _COPY.with_name(f"lake-{region}")
        number = copy_lake(client("s3", target), bucket, folders[region])
        print(f"Data lake of the running system in {region}: {number:,} objects.", file=sys.stderr)
    return folders


def statements(lines: Iterable[str]) -> Iterator[str]:
    """Join lines to statements that end with a semicolon, or with the input."""
    pending: list[str] = []
    for line in lines:
        pending.append(line)
        if line.rstrip().endswith(";"):
            yield "\n".join(pending)
            pending = []
    if any(line.strip() for line in pending):
        yield "\n".join(pending)


def run(connection: duckdb.DuckDBPyConnection, statement: str) -> bool:
    """Run a statement and print its result or its error; return whether it succeeded."""
    try:
        result = connection.sql(statement)
        if result is not None:
            result.show(max_rows=_MAX_ROWS)
    except duckdb.Error as error:
        print(f"error: {error}", file=sys.stderr)
        return False
    return True


def _prompted() -> Iterator[str]:
    import readline  # noqa: F401 - gives input() line editing and a history

    prompt = "lake> "
    while True:
        try:
            line = input(prompt)
        except EOFError:
            print()
            return
        prompt = "lake> " if not line.strip() or line.rstrip().endswith(";") else "  ... "
        yield line


def main() -> int:
    """Run one query, or read statements; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.lake_sql", description=__doc__)
    parser.add_argument("query", nargs="?", help="a statement; without it, statements are read")
    query = parser.parse_args().query
    return exit_code(lambda: _query(query))


def _query(query: str | None) -> int:
    folders = find_lakes()
    connection = open_lake(next(iter(folders.values())))
    open_regions(connection, folders)
    open_marts(connection, MARTS)
    open_flow_logs(connection, next(iter(folders.values())))
    if query:
        return 0 if run(connection, query) else 1
    if not sys.stdin.isatty():
        results = [run(connection, it) for it in statements(sys.stdin.read().splitlines())]
        return 0 if all(results) else 1
    print(_HELP)
    for statement in statements(_prompted()):
        run(connection, statement)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
