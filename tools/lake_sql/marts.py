"""`python -m tools.lake_sql.marts`: write the daily marts of the local lake with Spark.

`make sql` then has them as tables `mart_<name>`: the columns of lake/marts/<name>.sql and the date.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import duckdb

from aws_emulator.errors import CommandError
from tools.cli import exit_code
from tools.lake_sql.__main__ import find_lake
from tools.lake_sql.tables import MARTS, open_marts
from tools.paths import ROOT
from tools.setup import spark

JOB: Final = ROOT / "lake" / "jobs" / "marts.py"


def write(lake: Path, folder: Path) -> dict[str, list[str]]:
    """Run the job on a folder with the lake's objects; return the days written and unchanged.

    Days that aren't in the lake are deleted: they are another lake's.

    Raises:
        CommandError: Spark isn't installed, or the job failed.
    """
    if not spark.is_installed():
        raise CommandError("Spark isn't installed. Run `make spark` with a network first.")
    days = {it.name for it in (lake / "events").glob("date=*")}
    for written in folder.glob("*/date=*"):
        if written.name not in days:
            shutil.rmtree(written)
    done = subprocess.run(
        [
            *(str(spark.FOLDER / "bin" / "python"), "-I", str(JOB), "--master", "local[2]"),
            *("--lake", str(lake), "--marts", str(folder)),
        ],
        env={**os.environ, "JAVA_HOME": str(spark.JAVA_HOME)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise CommandError(
            f"Can't write the marts: {reason}. Check the disk's space and run it again."
        )
    result: dict[str, list[str]] = json.loads(done.stdout.splitlines()[-1])
    return result


def _main() -> int:
    result = write(find_lake(), MARTS)
    print(f"Days written: {', '.join(result['written']) or 'none'}.")
    print(f"Days without a change: {', '.join(result['unchanged']) or 'none'}.")
    with duckdb.connect() as connection:
        for name in open_marts(connection, MARTS):
            connection.sql(f"SELECT * FROM {name} ORDER BY ALL LIMIT 10").show()  # noqa: S608 - names of files
    print("`make sql` has these tables.")
    return 0


if __name__ == "__main__":
    raise SystemExit(exit_code(_main))
