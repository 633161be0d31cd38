"""The daily marts: their SQL against plain Python, and the Spark job against DuckDB."""

import json
import os
import random
import re
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import duckdb
import pyarrow as pa
import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.jobs import marts
from stream_processor.compaction.compact import Compaction
from stream_processor.handlers.events import EventsHandler
from tests.support.examples import at_most
from tests.support.paths import ROOT
from tests.unit.lake.tables import copy_objects
from tests.unit.stream_processor.fakes import FakeAws
from tests.unit.stream_processor.sample_records import accepted, header, kinesis_event, packed
from tools.lake_sql import marts as command
from tools.lake_sql.tables import open_lake, open_marts
from tools.setup import spark

DAY: Final = date(2026, 11, 21)
PATHS: Final = ("/", "/sign-up.html", "/app/lesson.html", "/premium/lesson.html")
DAY_S: Final = 86_400
GAP_S: Final = 1_800


class Visit(NamedTuple):
    """An event: seconds from the start of `DAY`, visitor, page, and whether it's a page."""

    second: int
    visitor: str
    path: str
    is_page: bool


visits = st.builds(
    Visit,
    # Around the three midnights, and anywhere on a day that `retention` reads.
    st.one_of(
        st.integers(-2_000, 2_000),
        st.integers(DAY_S - 2_000, DAY_S + 2_000),
        st.integers(0, 2 * DAY_S - 1),
        st.sampled_from([-7, -28]).map(lambda days: days * DAY_S + 5),
    ),
    st.sampled_from("abc"),
    st.sampled_from(PATHS),
    st.booleans(),
)


def portable(statement: str) -> str:
    """Return a statement for DuckDB, which has another name for Spark's `unix_timestamp`."""
    return re.sub(r"unix_timestamp\((\w+)\)", r"CAST(floor(epoch(\1)) AS BIGINT)", statement)


def answers(lake: duckdb.DuckDBPyConnection, day: date) -> dict[str, list[tuple[Any, ...]]]:
    """Return the rows of each mart, in DuckDB."""
    for name, statement in marts.statements(day):
        lake.execute(f"CREATE OR REPLACE TEMPORARY VIEW {name} AS {portable(statement)}")
    return {
        mart: sorted(lake.execute(query).fetchall(), key=repr)
        for mart, query in marts.queries().items()
    }


def table_of(stored: list[Visit]) -> duckdb.DuckDBPyConnection:
    """Return a connection whose view `events_once` has the visits."""
    start = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC)
    times = [start + timedelta(seconds=it.second) for it in stored]
    rows = pa.table({
        "type": pa.array(["page" if it.is_page else "track" for it in stored], pa.string()),
        "anonymous_id": pa.array([it.visitor for it in stored], pa.string()),
        "page_path": pa.array([it.path for it in stored], pa.string()),
        "received_at": pa.array(times, pa.timestamp("ms", "UTC")),
        "timestamp": pa.array(times, pa.timestamp("ms", "UTC")),
        "sequence_number": pa.array([f"{number:05}" for number in range(len(stored))], pa.string()),
        "date": pa.array([str(it.date()) for it in times], pa.string()),
    })  # fmt: skip
    lake = duckdb.connect()
    lake.execute("SET TimeZone = 'UTC'")
    lake.register("stored_rows", rows)
    lake.execute(
        "CREATE TABLE events_once AS SELECT *, 'GB' AS country, 'mobile' AS device, "
        "'s' AS shard_id, 0 AS record_index, NULL::VARCHAR AS campaign_source, "
        "false AS bot "
        "FROM stored_rows"
    )
    return lake


def sessions_of(stored: list[Visit]) -> list[list[Visit]]:
    """Return the sessions of all visitors."""
    sessions: list[list[Visit]] = []
    for visitor in sorted({it.visitor for it in stored}):
        own = sorted((it for it in stored if it.visitor == visitor), key=lambda it: it.second)
        for visit in own:
            previous = sessions[-1][-1] if sessions else None
            if (
                previous is None
                or previous.visitor != visitor
                or (visit.second > previous.second + GAP_S)
            ):
                sessions.append([])
            sessions[-1].append(visit)
    return sessions


@settings(max_examples=at_most(40))
@given(st.lists(visits, max_size=15))
def test_marts_equal_a_plain_count(stored: list[Visit]) -> None:
    lake = table_of(stored)
    written = answers(lake, DAY)
    today = [it for it in stored if 0 <= it.second < DAY_S]
    near = [it for it in stored if -DAY_S <= it.second < 2 * DAY_S]
    pages = [it for it in today if it.is_page]
    views = Counter(it.path for it in pages)
    assert {path: count for path, count, _ in written["pages"]} == views
    began = [it for it in sessions_of(near) if 0 <= it[0].second < DAY_S]
    expected = [
        (
            *("GB", "mobile", None),
            len(began),
            sum(map(len, began)),
            sum(it.is_page for one in began for it in one),
            sum(sum(it.is_page for it in one) <= 1 for one in began),
            sum(one[-1].second - one[0].second for one in began),
        )
    ]
    assert written["sessions"] == (expected if began else [])
    by_day = defaultdict(set)
    for visit in stored:
        by_day[visit.second // DAY_S].add(visit.visitor)
    assert written["retention"] == [
        (days, len(by_day[-days]), len(by_day[-days] & by_day[0]))
        for days in sorted(marts.RETENTION_DAYS, key=str)
        if by_day[-days]
    ]
    for visitors, forms, members, paid in written["funnel"]:
        assert visitors == len({it.visitor for it in pages})
        assert visitors >= forms >= members >= paid >= 0


@pytest.mark.parametrize("mart", marts.queries())
def test_mart_is_the_same_statement_in_athena_duckdb_and_spark(mart: str) -> None:
    text = marts.queries()[mart]
    (statement,) = sqlglot.parse(text, dialect="athena")
    assert statement is not None
    for other in ("duckdb", "spark"):
        (same,) = sqlglot.transpile(text, read=other, write="athena")
        assert statement.sql(dialect="athena") == same, other


def test_digest_depends_on_the_days_that_a_mart_reads() -> None:
    def stored(day: date) -> marts.StoredObject:
        return marts.StoredObject(f"events/date={day}/hour=10/one.parquet", 10, 5)

    def digest(*objects: marts.StoredObject) -> str:
        return marts.digest_of(DAY, marts.by_day(objects), "SQL")

    base = stored(DAY)
    for days in range(-40, 10):
        changed = digest(base, stored(DAY + timedelta(days))._replace(size=11))
        reads = days in {-28, -7, -1, 0, 1}
        assert (changed != digest(base)) == reads, days


def arrive(aws: FakeAws, rng: random.Random, day: date, first: int) -> None:
    """Store a request of some visitors on a day."""
    at = datetime(day.year, day.month, day.day, rng.choice([0, 12, 23]), tzinfo=UTC)
    facts = header(f"r{day}-{first}", country="GB", device="mobile")
    events = [
        accepted(f"m{rng.randrange(60)}", rng.choice(PATHS), n, anonymousId=f"v{rng.randrange(4)}")
        for n in range(6)
    ]
    event = kinesis_event([packed(facts, events, [])], first=first, arrived=at.timestamp())
    EventsHandler(aws.app()).handle(event, lambda: True)


@contextmanager
def spark_job(folder: Path) -> Iterator[Any]:
    """Start Spark, and yield a function that runs the job with some options."""
    running = subprocess.Popen(
        [
            str(spark.FOLDER / "bin" / "python"),
            *("-I", str(ROOT / "tests" / "unit" / "lake" / "marts_runs.py"), str(folder)),
        ],
        env={**os.environ, "JAVA_HOME": str(spark.JAVA_HOME)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    requests, results = running.stdin, running.stdout
    assert requests is not None
    assert results is not None

    def run(**options: Any) -> dict[str, Any]:
        requests.write(json.dumps(options) + "\n")
        requests.flush()
        for line in results:
            if line.startswith("RESULT "):
                result: dict[str, Any] = json.loads(line.removeprefix("RESULT "))
                return result
        raise AssertionError("The job ended")

    try:
        yield run
    finally:
        requests.close()
        running.wait(60)
        results.close()


def files_of(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return the mart files by name, with the time of their last change."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in (folder / "marts").rglob("*.parquet")
    }


def rows_of(folder: Path, mart: str, day: date) -> list[tuple[Any, ...]]:
    path = folder / "marts" / mart / f"date={day}" / "rows.parquet"
    rows = duckdb.execute("SELECT * EXCLUDE (date) FROM read_parquet(?)", [str(path)]).fetchall()
    return sorted(rows, key=repr)


@pytest.mark.spark
def test_job_writes_rows_of_duckdb_for_days_that_changed(tmp_path: Path) -> None:
    if not spark.is_installed():
        pytest.skip("Spark isn't installed: run `make spark`")
    aws, rng = FakeAws(), random.Random(5)
    days = [DAY + timedelta(number) for number in range(3)]
    for number, day in enumerate([*days, days[1]]):
        arrive(aws, rng, day, 1 + 10 * number)
    midnight = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC)
    assert Compaction(aws.app()).run(midnight, midnight + timedelta(3), lambda: True).compacted
    copy_objects(aws, tmp_path)

    def compare() -> None:
        with open_lake(tmp_path) as lake:
            for day in days:
                for mart, rows in answers(lake, day).items():
                    assert rows_of(tmp_path, mart, day) == rows, (mart, day)

    with spark_job(tmp_path) as run:
        # Two marts of the second day are written, and no state of it.
        assert run(stop_after=len(marts.queries()) + 2) == {"stopped": True}
        result = run()
        assert result["written"] == [str(it) for it in days[1:]]
        assert result["unchanged"] == [str(days[0])]
        compare()
        before = files_of(tmp_path)
        assert run() == {"written": [], "unchanged": [str(it) for it in days]}
        assert files_of(tmp_path) == before
        # A late object changes its day, the days beside it and those that look back to it.
        arrive(aws, rng, days[2], 999)
        copy_objects(aws, tmp_path)
        assert run(last=str(days[1]))["written"] == [str(days[1])]
        assert run()["written"] == [str(it) for it in days[2:]]
        compare()
    assert not list((tmp_path / "marts").rglob("staged/*"))
    # The command finds nothing to write, and deletes a day of another lake.
    other = tmp_path / "marts" / "pages" / "date=2020-01-01"
    other.mkdir()
    assert command.write(tmp_path, tmp_path / "marts")["written"] == []
    assert not other.exists()
    with duckdb.connect() as lake:
        assert open_marts(lake, tmp_path / "marts") == [f"mart_{it}" for it in marts.queries()]
        assert lake.execute("SELECT count(*) FROM mart_pages").fetchall() > [(0,)]
