"""The project's stacks: their names, outputs and clients, on the emulator and on AWS."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aws_emulator.endpoint import Endpoint, responds
from aws_emulator.errors import CommandError
from tools.paths import BIN, ROOT, UV

#: The Region of CloudFront, its web ACLs and the Lambda@Edge functions.
EDGE_REGION: Final = "us-east-1"
#: The default of the parameter HomeRegion (template.yaml): the Region of the data and the users.
DEFAULT_HOME_REGION: Final = "us-east-1"
#: `make up` writes this file into the folder of the running system.
RUNNING_SYSTEM_FILE: Final = "system.json"
#: A killed system refuses connections at once. A system on a busy machine answers late.
LATEST_ANSWER_S: Final = 60


@dataclass(frozen=True)
class StackTarget:
    """The endpoint, Region and stage of a stack on the emulator."""

    endpoint: str
    region: str = DEFAULT_HOME_REGION
    stage: str = "local"

    @property
    def stack_name(self) -> str:
        """The stack's name. It contains the Region, because IAM role names are global."""
        return stack_name(self.stage, self.region)

    @property
    def regional_endpoint(self) -> Endpoint:
        """The emulator's endpoint for clients in the Region."""
        return Endpoint(self.endpoint, self.region)

    def environment(self) -> dict[str, str]:
        """Return environment variables for a process that calls only the emulator."""
        return self.regional_endpoint.environment([BIN]) | {
            # src/Makefile uses this uv, because a uv on the PATH may be a shim that fails.
            "MERIDIAN_UV": str(UV),
            # SAM CLI's configuration folder. The home directory may be read-only.
            "__SAM_CLI_APP_DIR": str(ROOT / ".meridian" / "sam"),
        }


@dataclass(frozen=True)
class DeployedStack:
    """A stack's outputs, and the write key of the collector's first source."""

    outputs: dict[str, str]
    write_key: str


def stack_name(stage: str, region: str) -> str:
    """Return the name of a stage's stack in a Region."""
    return f"meridian-{stage}-{region}"


def client(service: str, target: StackTarget) -> Any:
    """Return a boto3 client of the emulator."""
    return target.regional_endpoint.client(service)


def describe_stack(target: StackTarget) -> DeployedStack:
    """Read a stack of the emulator."""
    return describe_stack_by_name(client("cloudformation", target), target.stack_name)


def describe_stack_by_name(cloudformation: Any, name: str) -> DeployedStack:
    """Read a stack with a CloudFormation client."""
    (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    sources = json.loads(parameters_of(stack)["CollectorSources"])
    return DeployedStack(outputs=outputs_of(stack), write_key=str(sources[0]["write_key"]))


def outputs_of(stack: dict[str, Any]) -> dict[str, str]:
    """Return the outputs of an item of DescribeStacks."""
    return {it["OutputKey"]: it["OutputValue"] for it in stack.get("Outputs", [])}


def parameters_of(stack: dict[str, Any]) -> dict[str, str]:
    """Return the parameters of an item of DescribeStacks."""
    return {it["ParameterKey"]: it["ParameterValue"] for it in stack.get("Parameters", [])}


def find_running_stack(directory: Path, region: str | None = None) -> StackTarget | None:
    """Return the stack of the system that runs in `directory`, or None if it isn't running.

    Args:
        directory: The folder of the running system.
        region: The Region of the stack; by default the home Region.

    Raises:
        CommandError: The system runs, but without this Region.
    """
    try:
        record = json.loads((directory / RUNNING_SYSTEM_FILE).read_text())
    except (OSError, ValueError):
        return None
    # A killed system leaves its file behind.
    if not responds(f"{record['endpoint']}/_ministack/ready", LATEST_ANSWER_S):
        return None
    region = region or str(record["regions"][0])
    if region not in record["regions"]:
        regions = ",".join([*record["regions"], region])
        raise CommandError(
            f"The running system has no Region {region}. Restart it with "
            f"`make up REGIONS={regions}`."
        )
    return StackTarget(str(record["endpoint"]), region)
