"""`make evacuate`: take a Region out of the answers for the API's name, or return it.

No record and no health check is edited: their control plane is in us-east-1. A mark in the table
of another Region makes the Region's check fail (stacks/names.yaml).
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from aws_emulator.errors import CommandError
from tools.cli import exit_code, reason_of
from tools.deployment.environments import (
    Environment,
    Layout,
    layout_of,
    read_environments,
)
from tools.operations.stage import running_layout
from tools.paths import STATE
from tools.stack import StackTarget, client

#: The checks of stacks/names.yaml: a request every INTERVAL_S seconds, and the results in a row
#: that change the status.
INTERVAL_S: Final = 10
THRESHOLD: Final = 3
#: The TTL of an alias to an API (Route 53 Developer Guide, "Choosing between alias and non-alias
#: records").
ALIAS_TTL_S: Final = 60

#: Makes a client for a service and a Region.
type Clients = Callable[[str, str], Any]


@dataclass(frozen=True)
class Stage:
    """The Regions of a stage with a domain, and clients for them."""

    layout: Layout
    clients: Clients

    @property
    def domain(self) -> str:
        """The domain name of the portal; '' without one."""
        return self.layout.home.parameter("Domain")

    def regions(self) -> list[str]:
        """Return the Regions with an API, the home first."""
        return [it.region for it in (self.layout.home, *self.layout.others)]

    def is_evacuated(self, region: str) -> bool:
        """Return whether a Region is evacuated.

        Raises:
            ClientError: DynamoDB refused the call.
        """
        item = self._table(region).get_item(**self._mark(region), ConsistentRead=True)
        return "Item" in item

    def evacuate(self, region: str) -> None:
        """Write the mark of a Region.

        Raises:
            ClientError: DynamoDB refused the call.
        """
        mark = self._mark(region)
        since = {"since": {"S": datetime.now(UTC).isoformat(timespec="seconds")}}
        self._table(region).put_item(TableName=mark["TableName"], Item=mark["Key"] | since)

    def return_region(self, region: str) -> None:
        """Delete the mark of a Region.

        Raises:
            ClientError: DynamoDB refused the call.
        """
        self._table(region).delete_item(**self._mark(region))

    def _table(self, region: str) -> Any:
        return self.clients("dynamodb", self.layout.mark_region_of(region))

    def _mark(self, region: str) -> dict[str, Any]:
        return {
            "TableName": f"meridian-{self.layout.home.stage}-profiles",
            "Key": {"pk": {"S": f"EVACUATED#{region}"}},
        }


def change(stage: Stage, region: str, *, undo: bool) -> str:
    """Evacuate a Region or return it, and say what follows.

    Raises:
        ClientError: DynamoDB refused a call.
        CommandError: The stage has no such Region or no domain, or no other Region serves.
    """
    regions = stage.regions()
    if not stage.domain:
        raise CommandError(
            f"The stage {stage.layout.home.stage} has no domain name, so CloudFront calls the home "
            "Region only. Set Domain and HostedZoneId first: docs/deploying.md#domain-name"
        )
    if region not in regions:
        raise CommandError(f"REGION must be one of {', '.join(regions)}, not {region or 'empty'}.")
    others = [it for it in regions if it != region]
    if not undo and not any(not stage.is_evacuated(it) for it in others):
        raise CommandError(
            f"{region} is the last Region that serves the API. Run `make evacuate REGION=<Region> "
            "UNDO=1` for another one first."
        )
    if undo:
        stage.return_region(region)
    else:
        stage.evacuate(region)
    verb = "returns to" if undo else "leaves"
    return (
        f"{region} {verb} the answers for global-api.{stage.domain} within "
        f"{INTERVAL_S * THRESHOLD + ALIAS_TTL_S} seconds: {THRESHOLD} health checks, {INTERVAL_S} "
        f"seconds apart, and a TTL of {ALIAS_TTL_S} seconds."
    )


def local_stage(directory: Path) -> Stage:
    """Return the system that runs in a folder.

    Raises:
        CommandError: No system is running.
    """
    target, layout = running_layout(directory)
    return Stage(
        layout,
        lambda service, region: client(service, StackTarget(target.endpoint, region)),
    )


def aws_stage(name: str) -> Stage:
    """Return the stage of an environment in samconfig.toml.

    Raises:
        CommandError: The environment doesn't exist.
    """
    environment: Environment = read_environments(name)[0]
    return Stage(
        layout_of(environment),
        lambda service, region: boto3.client(service, region_name=region),  # type: ignore[call-overload]
    )


def main(environment: Mapping[str, str] = os.environ, directory: Path = STATE / "up") -> int:
    """Evacuate REGION in the stage PLACE on AWS, or else in the system of `make up`.

    Raises:
        CommandError: The Region can't be evacuated.
    """
    name = environment.get("PLACE", "")
    stage = aws_stage(name) if name else local_stage(directory)
    region = environment.get("REGION", "").strip()
    try:
        print(change(stage, region, undo=environment.get("UNDO", "") not in ("", "0")))
    except (ClientError, BotoCoreError) as error:
        holder = stage.layout.mark_region_of(region)
        raise CommandError(
            f"Nothing was changed: {holder}, which has the mark of {region}, "
            f"doesn't answer: {reason_of(error)}. If the Region is lost, wait; otherwise, check "
            "your credentials."
        ) from error
    return 0


if __name__ == "__main__":
    raise SystemExit(exit_code(main))
