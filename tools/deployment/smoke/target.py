"""The system that the smoke test checks: its address, stack outputs and clients."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import boto3

from aws_emulator.errors import CommandError
from tools.deployment.environments import Environment
from tools.stack import DeployedStack, describe_stack_by_name


@dataclass(frozen=True)
class Target:
    """A deployed system. `client` returns a client for a service in the stack's Region.

    `url` is CloudFront's address, `api_url` the API's own.
    """

    url: str
    api_url: str
    stage: str
    stack: DeployedStack
    client: Callable[[str], Any] = field(repr=False)


def target_of(environment: Environment) -> Target:
    """Return the system of the home Region's environment.

    Raises:
        CommandError: The environment isn't the home Region's: only that one has an address.
    """
    if not environment.is_home:
        raise CommandError(
            f"{environment.name} has no address: CloudFront belongs to the home Region's stack. "
            "Run `make smoke PLACE=<environment of the home Region>`."
        )

    def client(service: str) -> Any:
        return boto3.client(service, region_name=environment.region)  # type: ignore[call-overload]

    stack = describe_stack_by_name(client("cloudformation"), environment.stack_name)
    return Target(
        url=f"https://{stack.outputs['DistributionDomainName']}",
        api_url=f"https://{stack.outputs['ApiId']}.execute-api.{environment.region}.amazonaws.com",
        stage=environment.stage,
        stack=stack,
        client=client,
    )
