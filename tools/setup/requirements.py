"""`make requirements`: export each function package's requirements from uv.lock."""

import subprocess
from typing import Final

from aws_emulator.errors import CommandError
from tools.paths import ROOT, UV

#: Dependency groups of pyproject.toml, and their files in src, which src/Makefile reads.
GROUPS: Final = {
    "edge-ingest": "edge_ingest/requirements.txt",
    "stream-processor": "stream_processor/requirements.txt",
    "stream-processor-table": "stream_processor/table-requirements.txt",
    "stepfunctions": "stepfunctions/requirements.txt",
    "stepfunctions-notify": "stepfunctions/notify-requirements.txt",
    "bookings": "bookings/requirements.txt",
    "catalogue": "catalogue/requirements.txt",
}
#: Lambda's Python image already contains these (AWS, "Building Lambda functions with Python").
RUNTIME_PACKAGES: Final = (
    *("boto3", "botocore", "jmespath", "python-dateutil", "s3transfer", "six", "urllib3"),
)

#: pyiceberg needs these for its command line, for REST catalogs and for reading rows; the packages'
#: test imports the table without them.
UNUSED_PACKAGES: Final = ("click", "fsspec", "pyroaring", "requests", "rich", "zstandard")


def export_requirements(group: str) -> str:
    """Return the hash-pinned requirements of a dependency group.

    Raises:
        CommandError: `uv export` failed.
    """
    command = [str(UV), "export", "--frozen", "--quiet", "--only-group", group]
    command += ["--no-header", "--no-annotate", "--format", "requirements.txt"]
    for name in (*RUNTIME_PACKAGES, *UNUSED_PACKAGES):
        command += ["--prune", name]
    completed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if completed.returncode != 0:
        reason = completed.stderr.strip()[-300:].rstrip(".")
        raise CommandError(f"Can't export the group {group}: {reason}. Run `uv lock` first.")
    return completed.stdout


def main() -> None:
    """Write the requirements of each group.

    Raises:
        CommandError: `uv export` failed.
    """
    for group, name in GROUPS.items():
        (ROOT / "src" / name).write_text(export_requirements(group))
        print(f"Wrote src/{name}")


if __name__ == "__main__":
    main()
