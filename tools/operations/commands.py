"""Run an operator's command against a stack on the emulator or on AWS.

The commands are modules of src/stream_processor. They run in a process with the environment
variables that the stack gives to its functions.
"""

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from aws_emulator.errors import CommandError
from tools.cli import reason_of
from tools.deployment.environments import home_region_of
from tools.paths import BIN, ROOT, STATE
from tools.stack import (
    StackTarget,
    client,
    find_running_stack,
    outputs_of,
    parameters_of,
    stack_name,
)

#: The default arguments of each command.
COMMANDS: Final = {
    "redrive": ["--failures", "--bad"],
    "reconcile": [],
    "verify": [],
    "compact": [],
    "table": [],
    "migrate": [],
}
_MODULES: Final = {
    "redrive": "stream_processor.repair.redrive",
    "reconcile": "stream_processor.repair.reconcile",
    "verify": "stream_processor.repair.verify",
    "compact": "stream_processor.compaction.compact",
    "table": "stream_processor.table.publish",
    "migrate": "stream_processor.repair.migrate",
    "why": "stream_processor.repair.trace_events",
    "erase": "stream_processor.erasure.erase",
}
#: Reconcile compares again after this time. On one machine, records are in flight for less.
LOCAL_GRACE_S: Final = 2
_OUTPUT_VARIABLES: Final = {
    "LakeBucket": "LAKE_BUCKET",
    "FailuresBucket": "FAILURES_BUCKET",
    "CheckpointsTable": "CHECKPOINTS_TABLE",
    "LiveTable": "LIVE_TABLE",
}


@dataclass(frozen=True)
class OperatedStack:
    """A deployed stack; `base` has the environment variables of its clients."""

    outputs: Mapping[str, str]
    stage: str
    region: str
    base: Mapping[str, str]
    adopted_region: str = ""
    events_retention_days: str = "0"

    def environment(self) -> dict[str, str]:
        """Return a command's environment variables.

        Raises:
            CommandError: An output is missing.
        """
        missing = _OUTPUT_VARIABLES.keys() - self.outputs.keys()
        if missing:
            raise CommandError(
                f"The stack has no output {', '.join(sorted(missing))}. Deploy it again."
            )
        return {
            **self.base,
            **{variable: self.outputs[name] for name, variable in _OUTPUT_VARIABLES.items()},
            "APPOINTMENTS_TABLE": f"meridian-{self.stage}-appointments",
            "ADOPTED_REGION": self.adopted_region,
            "SNAPSHOT_BUCKET": self._snapshot_bucket,
            "EVENTS_RETENTION_DAYS": self.events_retention_days,
            "STAGE": self.stage,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "PYTHONPATH": str(ROOT / "src"),
            # CloudWatch and X-Ray collect metrics and traces only from Lambda functions.
            "POWERTOOLS_METRICS_DISABLED": "true",
            "POWERTOOLS_TRACE_DISABLED": "true",
            "POWERTOOLS_METRICS_NAMESPACE": f"meridian-{self.stage}",
            "POWERTOOLS_SERVICE_NAME": "operator",
            "POWERTOOLS_LOG_LEVEL": "WARNING",
        }

    @property
    def _snapshot_bucket(self) -> str:
        """The portal's bucket, or this Region's copy of it (stacks/portal-copy.yaml)."""
        copy = self.outputs["LakeBucket"].replace("-lake-", "-portal-", 1)
        return self.outputs.get("PortalBucket", copy)


def local_stack(target: StackTarget) -> OperatedStack:
    """Return a stack of the emulator.

    Raises:
        CommandError: The stack can't be described, or isn't a Meridian stack.
    """
    outputs, parameters = _describe(client("cloudformation", target), target.stack_name)
    grace = {"RECONCILE_GRACE_SECONDS": str(LOCAL_GRACE_S)}
    base = {**target.environment(), **grace}
    return OperatedStack(
        outputs, parameters["Stage"], target.region, base, **_of_parameters(parameters)
    )


def aws_stack(name: str, region: str) -> OperatedStack:
    """Return a stack on AWS.

    Raises:
        CommandError: The stack can't be described, or isn't a Meridian stack.
    """
    config = Config(retries={"mode": "standard"})
    try:
        cloudformation = boto3.client("cloudformation", region_name=region, config=config)
    except BotoCoreError as error:
        raise CommandError(
            f"Can't connect to CloudFormation in {region}: {reason_of(error)}. Check your "
            "credentials with `aws sts get-caller-identity`."
        ) from error
    outputs, parameters = _describe(cloudformation, name)
    return OperatedStack(
        outputs, parameters["Stage"], region, os.environ, **_of_parameters(parameters)
    )


def _of_parameters(parameters: Mapping[str, str]) -> dict[str, str]:
    """Return the settings of the commands that the stack's parameters have."""
    return {
        "adopted_region": parameters.get("AdoptedRegion", ""),
        "events_retention_days": parameters.get("EventsRetentionDays", "0"),
    }


def _describe(cloudformation: Any, name: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return a stack's outputs and parameters.

    Raises:
        CommandError: The stack can't be described, or isn't a Meridian stack.
    """
    try:
        (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except (ClientError, BotoCoreError) as error:
        raise CommandError(
            f"Can't describe the stack {name}: {reason_of(error)}. Check STAGE= and REGION=."
        ) from error
    parameters = parameters_of(stack)
    if "Stage" not in parameters:
        raise CommandError(
            f"The stack {name} isn't a Meridian stack: it has no parameter Stage. Check STAGE= and "
            "REGION=."
        )
    return outputs_of(stack), parameters


def select_stack(
    environment: Mapping[str, str], name: str | None = None, up: Path = STATE / "up"
) -> OperatedStack:
    """Return the stack on AWS with this name or with STAGE, else the one of `make up`.

    Raises:
        CommandError: The stack doesn't exist, or no system is running.
    """
    region = environment.get("REGION")
    stage = environment.get("STAGE")
    if name or stage:
        region = region or home_region_of(stage)
        return aws_stack(name or stack_name(str(stage), region), region)
    target = find_running_stack(up, region)
    if target is None:
        raise CommandError(
            "No system is running. Start `make up` in another terminal, or set STAGE=<stage> and "
            "REGION=<region> for a stack on AWS."
        )
    return local_stack(target)


def run(
    stack: OperatedStack, command: str, arguments: Sequence[str] = (), *, capture: bool = False
) -> "subprocess.CompletedProcess[str]":
    """Run a command on a stack. `capture` returns its output instead of printing it.

    Raises:
        CommandError: The stack lacks an output that the command needs.
    """
    return subprocess.run(
        [
            *(str(BIN / "python"), "-m", _MODULES[command]),
            *(arguments or COMMANDS[command]),
        ],
        cwd=ROOT,
        env=stack.environment(),
        text=True,
        capture_output=capture,
        check=False,
    )
