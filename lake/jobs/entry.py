"""Start a job from the package that a deployment uploads: `entry.py <job> <options>`.

    spark-submit --py-files s3://<bucket>/jobs/lake.zip s3://<bucket>/jobs/entry.py marts --lake ...

The package (tools/lake_sql/job_package.py) has the jobs and the SQL that they run.
"""

import importlib
import sys
from collections.abc import Sequence
from typing import Final

JOBS: Final = ("leavers", "marts")


def main(arguments: Sequence[str]) -> int:
    """Run the job that the first argument names, with the others; return its exit code.

    Raises:
        SystemExit: There is no such job.
    """
    name, *options = arguments or [""]
    if name not in JOBS:
        raise SystemExit(f"Unknown job {name!r}. Jobs: {', '.join(JOBS)}.")
    code: int = importlib.import_module(f"lake.jobs.{name}").main(options)
    return code


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
