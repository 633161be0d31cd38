"""Runs the job lake/jobs/leavers.py on the events of each file, and prints the results as JSON.

    python leavers_run.py <day> <Parquet file of events_once>...

Runs in Spark's environment (`make spark`).
"""

import json
import sys
from datetime import date
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))

from lake.jobs import leavers, marts  # noqa: E402 - the path is set above

if __name__ == "__main__":
    spark = marts.session_of("local[2]")
    spark.sparkContext.setLogLevel("ERROR")
    for file in sys.argv[2:]:
        spark.read.parquet(file).createOrReplaceTempView("events_once")
        result = leavers.run(spark, date.fromisoformat(sys.argv[1]))
        print(f"RESULT {json.dumps(result)}", flush=True)
