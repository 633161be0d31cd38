"""`make requirements`: export what each function's package installs from the one lock."""

import subprocess
from pathlib import Path

from aws_emulator.errors import CommandError
from tools.sam import ROOT, UV

#: A dependency group of pyproject.toml, and the room whose package installs it.
GROUPS = {
    "edge-ingest": "edge_ingest",
    "stream-processor": "stream_processor",
    "stepfunctions": "stepfunctions",
}
#: In Lambda's own image already (AWS, "Python Lambda runtimes"): not shipped again.
IN_THE_RUNTIME = (
    *("boto3", "botocore", "jmespath", "python-dateutil", "s3transfer", "six", "urllib3"),
)


def exported(group: str) -> str:
    """Return the hash-pinned requirements of a dependency group, as `uv export` writes them."""
    command = [str(UV), "export", "--frozen", "--quiet", "--only-group", group]
    command += ["--no-header", "--no-annotate", "--format", "requirements.txt"]
    for name in IN_THE_RUNTIME:
        command += ["--prune", name]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CommandError(f"uv cannot export {group}: {done.stderr.strip()[-300:]}")
    return done.stdout


def target(room: str) -> Path:
    """Return where a room's requirements are kept, read by src/Makefile."""
    return ROOT / "src" / room / "requirements.txt"


def main() -> None:
    """Write the requirements of every room that is there."""
    for group, room in GROUPS.items():
        if target(room).parent.joinpath("__init__.py").exists():
            target(room).write_text(exported(group))
            print(f"wrote {target(room).relative_to(ROOT)}")


if __name__ == "__main__":
    main()
