"""Students about to leave: the features against a plain count, and the job against its baseline."""

import json
import os
import random
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.jobs import leavers
from tests.support.examples import at_most
from tests.support.paths import ROOT
from tools.setup import spark

CUT: Final = date(2026, 11, 21)
#: Student, day from the cut, and whether the page is one of the members'.
type Visit = tuple[str, int, bool]

visits: st.SearchStrategy[Visit] = st.tuples(
    st.sampled_from("abc"), st.integers(-30, 9), st.booleans()
)


def events(stored: Iterable[Visit]) -> pa.Table:
    rows = list(stored)
    return pa.table({
        "user_id": pa.array([None if it[0] == "c" else it[0] for it in rows], pa.string()),
        "anonymous_id": pa.array([it[0] for it in rows], pa.string()),
        "page_path": pa.array(["/app/one.html" if it[2] else "/" for it in rows], pa.string()),
        "bot": pa.array([None] * len(rows), pa.bool_()),
        "date": pa.array([str(CUT + timedelta(day)) for _, day, _ in rows], pa.string()),
    })  # fmt: skip


def features(stored: Iterable[Visit]) -> dict[str, dict[str, int]]:
    """Return the answer of DuckDB by student."""
    with duckdb.connect() as lake:
        lake.register("events_once", events(stored))
        lake.execute(f"CREATE VIEW student_days AS {leavers.student_days(CUT)}")
        cursor = lake.execute(leavers.SQL.read_text())
        names = [column[0] for column in cursor.description or []]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return {str(row.pop("student")): row for row in rows}


def counted(stored: Iterable[Visit]) -> dict[str, Mapping[str, int]]:
    """Return the same by plain Python."""
    own: dict[str, list[Visit]] = defaultdict(list)
    for visit in stored:
        if -28 < visit[1] <= 7:
            own[visit[0]].append(visit)
    answers: dict[str, Mapping[str, int]] = {}
    for student, its in own.items():
        past = [it for it in its if it[1] <= 0]
        week = [it for it in past if it[1] > -7]
        idle_days = -max((it[1] for it in past), default=-99)
        if idle_days < 14:
            answers[student] = {
                "days_7": len({it[1] for it in week}),
                "days_28": len({it[1] for it in past}),
                "events_7": len(week),
                "events_28": len(past),
                "lessons_28": sum(it[2] for it in past),
                "idle_days": idle_days,
                "has_left": int(len(past) == len(its)),
            }
    return answers


@settings(max_examples=at_most(60))
@given(st.lists(visits, max_size=20))
def test_features_equal_a_plain_count(stored: list[Visit]) -> None:
    assert features(stored) == counted(stored)


def test_features_are_the_same_statement_in_athena_duckdb_and_spark() -> None:
    text = leavers.SQL.read_text()
    (statement,) = sqlglot.parse(text, dialect="athena")
    assert statement is not None
    for other in ("duckdb", "spark"):
        (same,) = sqlglot.transpile(text, read=other, write="athena")
        assert statement.sql(dialect="athena") == same, other


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (["events/date=2026-11-20/hour=01/a.parquet", "copies/date=2027-01-01/a"], "2026-11-13"),
        (["events/date=2026-11-20/a", "events/date=2026-11-28/a"], "2026-11-21"),
    ],
)
def test_last_day_has_a_week_after_it(keys: list[str], expected: str) -> None:
    assert leavers.last_day(keys) == date.fromisoformat(expected)


def school(rng: random.Random) -> Iterable[Visit]:
    """Yield the visits of 300 students. Some come ever less often, then leave; others pause."""
    for number in range(300):
        student = f"s{number}"
        leaves = rng.randrange(-14, 8) if rng.random() < 0.4 else 99
        pace = rng.choice([0.3, 0.6, 0.9])
        for day in range(-35, 8):
            fading = min(1.0, max(0.0, (leaves - day) / 21))
            if rng.random() < pace * fading:
                for _ in range(1 + int(4 * fading * rng.random())):
                    yield student, day, rng.random() < fading


def run(folder: Path, *schools: Iterable[Visit]) -> list[dict[str, Any]]:
    """Return the job's result for each school."""
    files = [folder / f"{number}.parquet" for number in range(len(schools))]
    for file, stored in zip(files, schools, strict=True):
        pq.write_table(events(stored), file)
    script = ROOT / "tests" / "unit" / "lake" / "leavers_run.py"
    done = subprocess.run(
        [str(spark.FOLDER / "bin" / "python"), "-I", str(script), str(CUT), *map(str, files)],
        env={**os.environ, "JAVA_HOME": str(spark.JAVA_HOME)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    lines = [it for it in done.stdout.splitlines() if it.startswith("RESULT ")]
    return [json.loads(it.removeprefix("RESULT ")) for it in lines]


@pytest.mark.spark
def test_job_finds_leavers_better_than_its_baseline(tmp_path: Path) -> None:
    if not spark.is_installed():
        pytest.skip("Spark isn't installed: run `make spark`")
    stored = list(school(random.Random(15)))
    result, few = run(tmp_path, stored, [("a", -1, True)])
    print(f"students about to leave: {result}")
    answers = counted(stored)
    assert result["students"] == len(answers)
    assert result["left"] == sum(it["has_left"] for it in answers.values())
    assert 0.5 < result["baseline"] < result["model"] <= 1
    # Too few for a score.
    assert few == {"day": str(CUT), "students": 1, "left": 1}
