"""The system that the smoke test checks: its address, stack outputs and clients."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aws_emulator.errors import CommandError
from tools.deployment.environments import Environment
from tools.deployment.preflight.account import Account
from tools.stack import (
    EDGE_REGION,
    DeployedStack,
    describe_stack_by_name,
    outputs_of,
    parameters_of,
)


@dataclass(frozen=True)
class Target:
    """A deployed system. `client` returns a client for a service in the stack's Region.

    `url` is CloudFront's address. `api_urls` are the API's own: the `execute-api` endpoint and,
    with a domain, the name that CloudFront calls.
    """

    url: str
    api_urls: tuple[str, ...]
    stage: str
    stack: DeployedStack
    client: Callable[[str], Any] = field(repr=False)


def target_of(environment: Environment, account: Account | None = None) -> Target:
    """Return the system of the home Region's environment.

    Raises:
        CommandError: The environment isn't the home Region's, isn't deployed, or the stage has no
            distribution yet.
    """
    if not environment.is_home:
        raise CommandError(
            f"{environment.name} isn't the home Region of its stage, which has the users and the "
            "data lake of the test. Run `make smoke PLACE=<environment of the home Region>`."
        )

    account = account or Account(environment.region)
    deployed = account.stack(environment.stack_name)
    if deployed is None or "ApiId" not in deployed.outputs:
        state = f"no stack {environment.stack_name}"
        if deployed is not None:
            state = f"the stack {environment.stack_name} in the state {deployed.status}"
        raise CommandError(
            f"{environment.region} has {state}, so there is nothing to test. Run `make deploy "
            f"PLACE={environment.name}` first."
        )

    def client(service: str) -> Any:
        return account.client(service, environment.region)

    stack = describe_stack_by_name(client("cloudformation"), environment.stack_name)
    endpoint = f"{stack.outputs['ApiId']}.execute-api.{environment.region}.amazonaws.com"
    domain_name = stack.outputs["ApiDomainName"]
    return Target(
        url=f"https://{_domain_name(client('cloudformation'), environment)}",
        api_urls=tuple(f"https://{it}" for it in dict.fromkeys((endpoint, domain_name))),
        stage=environment.stage,
        stack=stack,
        client=client,
    )


def _domain_name(cloudformation: Any, environment: Environment) -> str:
    """Return the distribution's domain name, from the home's stack only.

    A home without the edge has it as a parameter, so that the test needs nothing of us-east-1.

    Raises:
        CommandError: The stage has no distribution yet.
    """
    (stack,) = cloudformation.describe_stacks(StackName=environment.stack_name)["Stacks"]
    name = (parameters_of(stack) | outputs_of(stack)).get("DistributionDomainName", "none")
    if name == "none":
        raise CommandError(
            f"The stage {environment.stage} has no distribution yet. Run `make deploy "
            f"PLACE=<environment in {EDGE_REGION}>` first."
        )
    return str(name)
