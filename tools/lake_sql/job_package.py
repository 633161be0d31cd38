"""The package of the Spark jobs, which a deployment uploads to the bucket of each lake.

It has the jobs, the modules that they import and their SQL. Amazon EMR Serverless passes it to
Python as `--py-files`, so it is a zip archive in which each folder of modules is a package.
"""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tools.paths import ROOT

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

#: The keys in the lake's bucket; stacks/analytics.yaml names them.
ENTRY_KEY: Final = "jobs/entry.py"
PACKAGE_KEY: Final = "jobs/lake.zip"
ENTRY: Final = ROOT / "lake" / "jobs" / "entry.py"
#: Folders and files of the package.
_PARTS: Final = (
    *("lake/index/*.sql", "lake/jobs/*.py", "lake/marts/*.sql", "lake/models/*.sql"),
    "lake/views/*.sql",
    *("tools/lake_sql/copies.py", "tools/lake_sql/spark_engine.py"),
)
_PACKAGES: Final = ("lake", "lake/jobs", "tools", "tools/lake_sql")
#: The same files make the same archive: each entry has the earliest time that the format has.
_TIME: Final = (1980, 1, 1, 0, 0, 0)


def contents(root: Path = ROOT) -> dict[str, bytes]:
    """Return the files of the package by their path in it."""
    files = {f"{folder}/__init__.py": b"" for folder in _PACKAGES}
    for part in _PARTS:
        for path in sorted(root.glob(part)):
            files[path.relative_to(root).as_posix()] = path.read_bytes()
    return files


def archive(root: Path = ROOT) -> bytes:
    """Return the package."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as written:
        for name, content in sorted(contents(root).items()):
            entry = zipfile.ZipInfo(name, _TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            written.writestr(entry, content)
    return buffer.getvalue()


def upload(s3: "S3Client", outputs: Mapping[str, str]) -> int:
    """Upload the package and the script that starts a job; return the number of objects.

    `outputs` are those of the Region's stack. Without Spark jobs there, nothing is uploaded.
    """
    if "MartsMachine" not in outputs:
        return 0
    objects = {ENTRY_KEY: ENTRY.read_bytes(), PACKAGE_KEY: archive()}
    for key, content in objects.items():
        s3.put_object(Bucket=outputs["LakeBucket"], Key=key, Body=content)
    return len(objects)
