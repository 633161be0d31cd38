"""`make requirements`: export each function package's requirements from uv.lock."""

import subprocess
from pathlib import Path
from typing import Final

from aws_emulator.errors import CommandError
from tools.paths import ROOT, UV

#: Dependency groups of pyproject.toml, and the packages in src that install them.
GROUPS: Final = {
    "edge-ingest": "edge_ingest",
    "stream-processor": "stream_processor",
    "stepfunctions": "stepfunctions",
}
#: Lambda's Python image already contains these (AWS, "Building Lambda functions with Python").
RUNTIME_PACKAGES: Final = (
    *("boto3", "botocore", "jmespath", "python-dateutil", "s3transfer", "six", "urllib3"),
)


def export_requirements(group: str) -> str:
    """Return the hash-pinned requirements of a dependency group.

    Raises:
        CommandError: `uv export` failed.
    """
    command = [str(UV), "export", "--frozen", "--quiet", "--only-group", group]
    command += ["--no-header", "--no-annotate", "--format", "requirements.txt"]
    for name in RUNTIME_PACKAGES:
        command += ["--prune", name]
    completed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if completed.returncode != 0:
        reason = completed.stderr.strip()[-300:].rstrip(".")
        raise CommandError(f"Can't export the group {group}: {reason}. Run `uv lock` first.")
    return completed.stdout


def requirements_file(package: str) -> Path:
    """Return the path of a package's requirements, which src/Makefile reads."""
    return ROOT / "src" / package / "requirements.txt"


def main() -> None:
    """Write the requirements of each package.

    Raises:
        CommandError: `uv export` failed.
    """
    for group, package in GROUPS.items():
        requirements_file(package).write_text(export_requirements(group))
        print(f"Wrote {requirements_file(package).relative_to(ROOT)}")


if __name__ == "__main__":
    main()
