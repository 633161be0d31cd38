"""`python -m tools.trace`: print the path of a request through `make up` (`make trace`).

ID is the request ID of CloudFront (the header x-amz-cf-id of each response) or of S3 (for an
upload), or another ID on the path. Without ID the command lists recent requests.
"""

import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from aws_emulator.errors import CommandError
from aws_emulator.trace import format_tree
from tools.cli import exit_code, reason_of
from tools.lake_sql.lake_copy import copy_lake
from tools.logs import open_logs
from tools.paths import STATE
from tools.stack import StackTarget, client, describe_stack, find_running_stack
from tools.trace import find
from tools.trace.evidence import Evidence

_COPY: Final = STATE / "trace"


def run(options: Mapping[str, str], directory: Path = STATE / "up") -> int:
    """Print the trees of the requests that ID belongs to.

    Raises:
        CommandError: No system is running, or ID is missing or unknown.
    """
    wanted = options.get("ID", "").strip()
    target = find_running_stack(directory)
    if target is None:
        raise CommandError("No system is running. Start `make up` in another terminal first.")
    try:
        evidence = collect(target, directory)
        text = report(evidence, wanted)
    except (ClientError, BotoCoreError) as error:
        raise CommandError(
            f"Can't read the logs of `make up`: {reason_of(error)}. Restart `make up`."
        ) from error
    print(text)
    return 0


def collect(target: StackTarget, directory: Path) -> Evidence:
    """Read the logs, executions and lakes of a running system."""
    logs = open_logs(target, directory)
    lines = logs.read(round(time.time() * 1000))
    lakes = {}
    for region, _ in logs.clients:
        regional = StackTarget(target.endpoint, region, target.stage)
        bucket = describe_stack(regional).outputs.get("LakeBucket")
        if bucket is None:  # an edge without the home
            continue
        lakes[region] = _COPY / region
        copy_lake(client("s3", regional), bucket, lakes[region])
    return Evidence(lines, client("stepfunctions", target), target.stage, lakes)


def report(evidence: Evidence, wanted: str) -> str:
    """Return the trees of an ID.

    Raises:
        CommandError: `wanted` is empty or unknown. The message lists recent requests.
    """
    recent = "\n".join(f"  {line}" for line in find.recent(evidence)) or "  none"
    if not wanted:
        raise CommandError(
            "ID is missing: the value of x-amz-cf-id in a response, or another ID of a request. "
            f"Recent requests, the newest first:\n{recent}"
        )
    trees = find.trees(evidence, wanted)
    if not trees:
        raise CommandError(
            f"No log line and no row of the data lake has the ID {wanted}. A request that "
            "CloudFront accepted appears here after about a second. Recent requests, the newest "
            f"first:\n{recent}"
        )
    texts = [format_tree(it) for it in trees[: find.MAX_TREES]]
    if len(trees) > find.MAX_TREES:
        texts.append(f"{len(trees) - find.MAX_TREES} more requests have this ID.")
    return "\n\n".join(texts)


def main() -> int:
    """Run the command with the options that `make` exports, and return its exit code."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return exit_code(lambda: run(os.environ))


if __name__ == "__main__":
    sys.exit(main())
