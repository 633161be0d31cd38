"""`python -m tools.operate redrive | reconcile | verify | compact`: an operator's command.

Without a stage it works on what `make up` serves; with one (STAGE=, or a stack by its name) on AWS,
with the credentials that the SDK finds. The command itself is a module of src/stream_processor: it
gets the environment that the stack gives to its functions, and nothing else that is ours.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from aws_emulator.errors import CommandError
from tools import sam
from tools.dev.commands import STATE
from tools.dev.system import HOME_REGION, served
from tools.sam import BIN, ROOT, Place

#: What a command is given where nothing is said: everything that can be done without a choice.
COMMANDS = {"redrive": ["--failures", "--bad"], "reconcile": [], "verify": [], "compact": []}
MODULES = {
    "redrive": "stream_processor.repair.redrive",
    "reconcile": "stream_processor.repair.reconcile",
    "verify": "stream_processor.repair.verify",
    "compact": "stream_processor.compaction.compact",
}
#: Seconds until what differs is looked at again: nothing on a laptop is on its way for longer.
LOCAL_GRACE_S = 2
_OUTPUTS = {
    "LakeBucket": "LAKE_BUCKET",
    "FailuresBucket": "FAILURES_BUCKET",
    "CheckpointsTable": "CHECKPOINTS_TABLE",
    "LiveTable": "LIVE_TABLE",
}


@dataclass(frozen=True)
class Stack:
    """A deployed stack, and how to talk to where it is."""

    outputs: Mapping[str, str]
    stage: str
    region: str
    base: Mapping[str, str]

    def environment(self) -> dict[str, str]:
        """Return the environment of one of the room's own commands. Raises CommandError."""
        missing = _OUTPUTS.keys() - self.outputs.keys()
        if missing:
            raise CommandError(f"The stack has no output {', '.join(sorted(missing))}.")
        return {
            **self.base,
            **{variable: self.outputs[name] for name, variable in _OUTPUTS.items()},
            "APPOINTMENTS_TABLE": f"meridian-{self.stage}-appointments",
            "STAGE": self.stage,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "PYTHONPATH": str(ROOT / "src"),
            # A command has no place where metrics and traces would be gathered.
            "POWERTOOLS_METRICS_DISABLED": "true",
            "POWERTOOLS_TRACE_DISABLED": "true",
            "POWERTOOLS_METRICS_NAMESPACE": f"meridian-{self.stage}",
            "POWERTOOLS_SERVICE_NAME": "operator",
            "POWERTOOLS_LOG_LEVEL": "WARNING",
        }


def local_stack(place: Place) -> Stack:
    """Describe a stack of a running emulator. Raises CommandError."""
    outputs, stage = _described(sam.client("cloudformation", place), place.stack)
    grace = {"RECONCILE_GRACE_SECONDS": str(LOCAL_GRACE_S)}
    return Stack(outputs, stage, place.region, {**place.environment(), **grace})


def cloud_stack(name: str, region: str) -> Stack:
    """Describe a stack on AWS. Raises CommandError."""
    config = Config(retries={"mode": "standard"})
    try:
        client = boto3.client("cloudformation", region_name=region, config=config)
    except BotoCoreError as error:
        raise CommandError(f"AWS cannot be asked: {error}") from error
    outputs, stage = _described(client, name)
    return Stack(outputs, stage, region, os.environ)


def _described(client: Any, name: str) -> tuple[dict[str, str], str]:
    try:
        (stack,) = client.describe_stacks(StackName=name)["Stacks"]
    except (ClientError, BotoCoreError) as error:
        raise CommandError(f"The stack {name} cannot be described: {error}") from error
    parameters = {it["ParameterKey"]: it["ParameterValue"] for it in stack.get("Parameters", [])}
    if "Stage" not in parameters:
        raise CommandError(f"The stack {name} is none of ours: it has no parameter Stage.")
    outputs = {it["OutputKey"]: it["OutputValue"] for it in stack.get("Outputs", [])}
    return outputs, parameters["Stage"]


def chosen(
    environment: Mapping[str, str], name: str | None = None, up: Path = STATE / "up"
) -> Stack:
    """Find the stack that is meant: by name or STAGE on AWS, else what `make up` serves."""
    region = environment.get("REGION") or HOME_REGION
    stage = environment.get("STAGE")
    if name or stage:
        return cloud_stack(name or f"meridian-{stage}-{region}", region)
    place = served(up, region)
    if place is None:
        raise CommandError(
            "Nothing is up here: start `make up` beside this, or say STAGE=<stage> "
            "(and REGION=<region>) for a deployment on AWS."
        )
    return local_stack(place)


def run(
    stack: Stack, command: str, arguments: Sequence[str] = (), *, quiet: bool = False
) -> "subprocess.CompletedProcess[str]":
    """Run one of the commands on a stack. `quiet` keeps what it prints for the caller."""
    return subprocess.run(
        [
            *(str(BIN / "python"), "-m", MODULES[command]),
            *(arguments or COMMANDS[command]),
        ],
        cwd=ROOT,
        env=stack.environment(),
        text=True,
        capture_output=quiet,
        check=False,
    )


def main() -> int:
    """Run one command; return its exit code. A CommandError is one sentence on standard error."""
    parser = argparse.ArgumentParser(prog="python -m tools.operate", description=__doc__)
    parser.add_argument("command", choices=list(COMMANDS))
    parser.add_argument("--stack", help="a stack on AWS, by its name; REGION says where")
    given, rest = parser.parse_known_args()
    try:
        return run(chosen(os.environ, given.stack), given.command, rest).returncode
    except CommandError as error:
        print(f"meridian: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    raise SystemExit(main())
