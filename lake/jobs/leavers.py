"""Find students who are about to leave, and print how well that works, with Spark.

    spark-submit lake/jobs/leavers.py --lake <folder or s3://bucket> [--day YYYY-MM-DD]

A logistic regression learns from what students did up to seven days before the day, and whether
they came in the seven days up to it. It is then asked about students on the day itself, of whom the
job knows who came in the seven days after it. The plain baseline asks only how long ago a student
was there last. The score of each is the area under the ROC curve: 0.5 is a guess, 1 is perfect.
The job prints numbers and stores nothing: a list of persons would be another place to erase.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import date, timedelta
from importlib import resources
from pathlib import Path
from typing import Any, Final

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
#: Also in the package of the jobs, which is a zip archive (tools/lake_sql/job_package.py).
SQL: Final = resources.files("lake") / "models" / "leavers.sql"
#: Days that a student has for coming again.
HORIZON_DAYS: Final = 7
PAST_DAYS: Final = 28
FEATURES: Final = ("days_7", "days_28", "events_7", "events_28", "lessons_28", "idle_days")
BASELINE: Final = "idle_days"
LABEL: Final = "has_left"
#: Fewer students, or fewer of a kind, say nothing.
MIN_OF_A_KIND: Final = 10


def student_days(cut: date) -> str:
    """Return the statement of the view that lake/models/leavers.sql reads, for a cut."""
    numbers = range(1 - PAST_DAYS, HORIZON_DAYS + 1)
    days = " UNION ALL ".join(
        f"SELECT '{cut + timedelta(number)}' AS date, {number} AS day" for number in numbers
    )
    member = "page_path LIKE '/app/%' OR page_path LIKE '/premium/%'"
    return f"""
        SELECT coalesce(user_id, anonymous_id) AS student, days.day AS day, count(*) AS events,
          count(CASE WHEN {member} THEN 1 END) AS lessons
        FROM events_once
        JOIN ({days}) AS days ON events_once.date = days.date
        WHERE coalesce(user_id, anonymous_id) IS NOT NULL AND NOT coalesce(bot, false)
        GROUP BY coalesce(user_id, anonymous_id), days.day
    """  # noqa: S608 - dates and numbers


class Model:
    """Spark's logistic regression. The classes of Java need no NumPy, unlike those of Python."""

    def __init__(self, session: Any) -> None:
        context = session.sparkContext
        self._ml = context._jvm.org.apache.spark.ml  # noqa: SLF001 - the documented way to Java
        names = context._gateway.new_array(context._jvm.java.lang.String, len(FEATURES))  # noqa: SLF001
        for index, name in enumerate(FEATURES):
            names[index] = name
        self._assembler = self._ml.feature.VectorAssembler().setInputCols(names)
        self._assembler = self._assembler.setOutputCol("features")

    def scores(self, learned: Any, asked: Any) -> dict[str, float]:
        """Learn from one table of students; return the scores for another one."""
        regression = self._ml.classification.LogisticRegression().setLabelCol(LABEL)
        # Without a penalty, a perfect answer for few students has infinite weights.
        model = regression.setRegParam(0.01).setMaxIter(30).fit(self._assembled(learned))
        answered = model.transform(self._assembled(asked))
        score = self._ml.evaluation.BinaryClassificationEvaluator().setLabelCol(LABEL)
        return {
            "model": float(score.setRawPredictionCol("rawPrediction").evaluate(answered)),
            "baseline": float(score.setRawPredictionCol(BASELINE).evaluate(answered)),
        }

    def _assembled(self, table: Any) -> Any:
        columns = [f"CAST({it} AS DOUBLE) AS {it}" for it in (*FEATURES, LABEL)]
        return self._assembler.transform(table.selectExpr(*columns)._jdf)  # noqa: SLF001


def run(session: Any, day: date) -> dict[str, Any]:
    """Return the scores for a day, or without `model` the numbers that are too few.

    The view `events_once` exists.
    """
    tables = []
    for cut in (day - timedelta(HORIZON_DAYS), day):
        session.sql(student_days(cut)).createOrReplaceTempView("student_days")
        tables.append(session.sql(SQL.read_text()).cache())
        tables[-1].count()
    counts = [{row[0]: row[1] for row in it.groupBy(LABEL).count().collect()} for it in tables]
    result: dict[str, Any] = {
        "day": str(day),
        "students": sum(counts[1].values()),
        "left": counts[1].get(1, 0),
    }
    if all(it.get(kind, 0) >= MIN_OF_A_KIND for it in counts for kind in (0, 1)):
        result |= Model(session).scores(*tables)
    return result


def last_day(keys: Sequence[str]) -> date:
    """Return the last day for which the lake knows who came in the seven days after it."""
    days = sorted(it.split("/")[1].removeprefix("date=") for it in keys if it[:7] == "events/")
    newest = date.fromisoformat(days[-1]) if days else date.today()  # noqa: DTZ011 - no events
    return newest - timedelta(HORIZON_DAYS)


def main(arguments: Sequence[str]) -> int:
    """Run the job and print its result as JSON."""
    from lake.jobs import marts

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lake", required=True, help="the lake's folder, or s3://<bucket>")
    parser.add_argument(
        "--day", type=date.fromisoformat, help="default: 7 days before the last one"
    )
    parser.add_argument("--master", help="for example local[2]; EMR sets its own")
    options = parser.parse_args(arguments)
    session = marts.session_of(options.master)
    objects = marts.open_events(session, marts.SparkLake(session, options.lake, ""), options.lake)
    day = options.day or last_day([it.key for it in objects])
    print(json.dumps(run(session, day)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
