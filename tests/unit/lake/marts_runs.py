"""Runs the job lake/jobs/marts.py several times in one process, which starts Spark once.

    python marts_runs.py <lake's folder>

Reads a line of JSON per run, {"first": day, "last": day, "stop_after": n}, and prints the result,
or the exception. Runs in Spark's environment (`make spark`). With `stop_after`, the run fails after
n mart files, as an interrupted one does.
"""

import json
import sys
from datetime import date
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))

from lake.jobs import marts  # noqa: E402 - the path is set above


class StoppedError(Exception):
    """Raised in the place of a kill."""


class StoppingLake(marts.SparkLake):
    """Fails after some files of marts are written."""

    left = -1

    def write(self, mart: str, day: date, query: str) -> None:
        """Write a file, or fail."""
        if self.left == 0:
            raise StoppedError
        self.left -= 1
        super().write(mart, day, query)


def main(folder: str) -> None:
    """Run the job for each line of the standard input."""
    session = marts.session_of("local[2]")
    session.sparkContext.setLogLevel("ERROR")
    for line in sys.stdin:
        options: dict[str, Any] = json.loads(line)
        lake = StoppingLake(session, folder, f"{folder}/marts")
        lake.left = options.get("stop_after", -1)
        objects = marts.open_events(session, lake, folder)
        first = date.fromisoformat(options.get("first", "2026-01-01"))
        last = date.fromisoformat(options.get("last", "2099-01-01"))
        try:
            result: dict[str, Any] = dict(marts.run(session, lake, objects, first, last))
        except StoppedError:
            result = {"stopped": True}
        print(f"RESULT {json.dumps(result)}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
