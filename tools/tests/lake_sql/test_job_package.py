"""The package of the Spark jobs: it is complete, and needs nothing besides Spark."""

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from lake.jobs import entry, marts
from tools.lake_sql import job_package
from tools.lake_sql.copies import INDEXED_VIEW

#: Amazon EMR, "emr-spark-8.0.0 application versions": Python 3.11, 3.12, 3.13.
OLDEST_PYTHON: Final = (3, 11)
#: Runs in an interpreter without packages, and without this checkout.
USE: Final = """
import json, sys
sys.path.insert(0, sys.argv[1])
from lake.jobs import entry, marts
from tools.lake_sql import copies, spark_engine
texts = {"queries": marts.queries(), "view": marts.VIEW.read_text()}
print(json.dumps(texts | {"index": copies.INDEXED_VIEW.read_text(), "jobs": entry.JOBS}))
"""


def test_package_has_the_jobs_and_their_sql(tmp_path: Path) -> None:
    package = tmp_path / "lake.zip"
    package.write_bytes(job_package.archive())
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", USE, str(package)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "queries": marts.queries(),
        "view": marts.VIEW.read_text(),
        "index": INDEXED_VIEW.read_text(),
        "jobs": list(entry.JOBS),
    }


def test_package_is_the_same_for_the_same_files() -> None:
    assert job_package.archive() == job_package.archive()


def test_python_of_the_release_can_read_every_module() -> None:
    modules = {name: it for name, it in job_package.contents().items() if name.endswith(".py")}
    assert "lake/jobs/marts.py" in modules
    for name, text in modules.items():
        ast.parse(text, name, feature_version=OLDEST_PYTHON)


@pytest.mark.parametrize("arguments", [[], ["other"], ["../marts"]])
def test_entry_refuses_unknown_job(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="Unknown job"):
        entry.main(arguments)


class _Bucket:
    def __init__(self) -> None:
        self.keys: list[tuple[str, str]] = []

    def put_object(self, **arguments: Any) -> None:
        self.keys.append((arguments["Bucket"], arguments["Key"]))


@pytest.mark.parametrize(
    ("outputs", "keys"),
    [
        ({"LakeBucket": "lake"}, []),
        ({"LakeBucket": "lake", "MartsMachine": "arn"}, ["jobs/entry.py", "jobs/lake.zip"]),
    ],
)
def test_upload_goes_to_lakes_with_jobs(outputs: dict[str, str], keys: list[str]) -> None:
    bucket: Any = _Bucket()
    assert job_package.upload(bucket, outputs) == len(keys)
    assert bucket.keys == [("lake", key) for key in keys]
