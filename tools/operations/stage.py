"""The stage that an operator's command works on: STAGE on AWS, or the system of `make up`."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from aws_emulator.errors import CommandError
from tools.deployment.environments import Layout, home_region_of, layout_of_regions
from tools.paths import STATE
from tools.stack import (
    EDGE_REGION,
    RUNNING_SYSTEM_FILE,
    StackTarget,
    client,
    find_running_stack,
)


@dataclass(frozen=True)
class Stage:
    """A stage's name, its home Region, and clients of services there."""

    name: str
    region: str
    clients: Callable[[str], Any]

    def table(self, name: str) -> str:
        """Return the full name of a table."""
        return f"meridian-{self.name}-{name}"


def find_stage(environment: Mapping[str, str]) -> Stage:
    """Return the stage STAGE on AWS, or else the system of `make up`.

    Raises:
        CommandError: STAGE isn't set and no system is running.
    """
    if stage := environment.get("STAGE"):
        region = home_region_of(stage)
        return Stage(stage, region, lambda service: boto3.client(service, region_name=region))  # type: ignore[call-overload] # any service
    target = find_running_stack(STATE / "up")
    if target is None:
        raise CommandError(
            "No system is running. Start `make up` in another terminal, or set STAGE=<stage> for a "
            "stage on AWS."
        )
    return Stage(target.stage, target.region, lambda service: client(service, target))


def running_layout(directory: Path) -> tuple[StackTarget, Layout]:
    """Return the home's stack and the Regions of the system that runs in a folder.

    Raises:
        CommandError: No system is running.
    """
    target = find_running_stack(directory)
    if target is None:
        raise CommandError(
            "No system is running. Start `make up` in another terminal, or set PLACE=<stage> for a "
            "stage on AWS."
        )
    record = json.loads((directory / RUNNING_SYSTEM_FILE).read_text())
    regions = [it for it in record["regions"] if it == target.region or it != EDGE_REGION]
    return target, layout_of_regions(target.stage, regions, record.get("names"))
