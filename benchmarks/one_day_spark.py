"""The queries of one_day.py in Spark: `one_day_spark.py FOLDER DAY ROUNDS`.

Runs in the environment of `make spark`, which has no other packages. Prints JSON: the seconds of
the fastest round of each query, and the number of events in `events_once`.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
COLUMNS: Final = "count(*), count(DISTINCT message_id), count(anonymous_id), max(event_json)"


def plain(day: str) -> str:
    """Return the query of the good rows of a day."""
    return f"SELECT {COLUMNS} FROM events WHERE date = '{day}' AND verdict = 'good'"


def once(day: str) -> str:
    """Return the same query of `events_once`."""
    return f"SELECT {COLUMNS} FROM events_once WHERE date = '{day}'"


def fastest(rounds: int, clock: Callable[[], float], *runs: Callable[[], Any]) -> list[float]:
    """Run the functions in turn; return the seconds of each one's fastest round."""
    best = [float("inf")] * len(runs)
    for _ in range(rounds):
        for number, run in enumerate(runs):
            before = clock()
            run()
            best[number] = min(best[number], clock() - before)
    return best


def main(folder: str, day: str, rounds: int) -> None:
    """Measure both queries in one session."""
    sys.path.insert(0, str(ROOT))
    from tests.unit.lake.spark_sql import open_lake
    from tools.lake_sql.copies import Listing, use_index
    from tools.lake_sql.spark_engine import SparkEngine

    session = open_lake(folder)
    assert use_index(SparkEngine(session, folder), Listing.of_folder(Path(folder)))
    seconds = fastest(
        rounds,
        time.perf_counter,
        lambda: session.sql(plain(day)).collect(),
        lambda: session.sql(once(day)).collect(),
    )
    ((events, distinct, *_),) = session.sql(once(day)).collect()
    assert events == distinct
    print(json.dumps([seconds, events]))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
