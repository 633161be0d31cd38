"""`make rotate`: replace the key with which CloudFront calls the API; no request is refused.

The parameter OriginKeys of each stack names the keys that the API accepts, and CloudFront sends the
first one. All Regions accept the new key before CloudFront sends it, and the old key until
CloudFront no longer sends it. The steps follow from the stacks and the age of the secrets, so a
repeated command continues. Decision: docs/decisions/0100-two-keys-of-cloudfront.md.
"""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from aws_emulator.errors import CommandError
from tools.cli import exit_code, reason_of
from tools.deployment import collector
from tools.deployment.environments import (
    Environment,
    Layout,
    layout_of,
    read_environments,
)
from tools.deployment.stacks import Stacks
from tools.operations.stage import running_layout
from tools.paths import STATE
from tools.stack import (
    StackTarget,
    client,
    outputs_of,
    parameters_of,
)

PARAMETER: Final = "OriginKeys"
#: Until the replicas of the secret exist.
TIMEOUT_S: Final = 300.0
#: Between the last request with the old key and its withdrawal. The local CloudFront reads its
#: distribution every second; on AWS, CloudFormation waits until it is deployed everywhere.
IN_FLIGHT_S: Final = 5.0
#: Between the last update that adds the new key to an API and the first request with it: API
#: Gateway needs some seconds for a new key, and AWS gives no figure.
SPREAD_S: Final = 60.0
#: The local servers read a changed configuration within seconds.
LOCAL_SPREAD_S: Final = 10.0
_OTHER: Final = {"A": "B", "B": "A"}


def next_keys(keys: str, newest: str) -> str:
    """Return the value of OriginKeys that follows: accept a new key, send it, withdraw the old one.

    Args:
        keys: The present value.
        newest: The key that was created last.
    """
    first, _, second = keys.partition("+")
    if not second:
        return f"{first}+{_OTHER[first]}"
    return newest if first == newest else f"{newest}+{first}"


@dataclass(frozen=True)
class Rotation:
    """A rotation of the key of a stage."""

    layout: Layout
    clients: Callable[[str, str], Any]
    say: Callable[[str], None] = print
    pause: Callable[[float], None] = time.sleep
    spread_s: float = SPREAD_S

    def run(self) -> None:
        """Replace the key, or continue an interrupted rotation.

        Raises:
            ClientError: AWS refused a call.
            CommandError: The stage isn't deployed, a stack can't be updated, or the secret's
                replicas are late.
        """
        home = self.layout.home
        if not self._exists(home):
            raise CommandError(
                f"{home.region} has no stack {home.stack_name}. Deploy it first: make deploy "
                f"PLACE={home.name}"
            )
        if PARAMETER in home.overrides:
            raise CommandError(
                f"samconfig.toml sets OriginKeys for {home.name}, so the next deployment would "
                "undo the rotation. Delete it there first."
            )
        keys = self._keys(home)
        if "+" not in keys:
            self._set(home, next_keys(keys, keys))
        keys = self._keys(home)
        newest = self._newest(keys)
        if not keys.startswith(newest):
            self._wait_for_replicas(newest)
            for further in self._further():
                self._set(further, keys)
            self.say(f"All Regions accept the key {newest}. Waiting until API Gateway knows it.")
            self.pause(self.spread_s)
            keys = next_keys(keys, newest)
            self._set(home, keys)
        for environment in self._edge():
            self._set(environment, newest)
        self.pause(IN_FLIGHT_S)
        # The home last: its update deletes the secret, and its value says that the rotation ended.
        for environment in (*self._further(), home):
            self._set(environment, newest)
        self.say(f"CloudFront sends the key {newest}. The old key is deleted.")

    def _further(self) -> list[Environment]:
        """Return the further Regions that CloudFront calls: those of a stage with a domain."""
        has_domain = bool(self.layout.home.parameter("Domain"))
        return [it for it in self.layout.others if has_domain and self._exists(it)]

    def _edge(self) -> list[Environment]:
        """Return the edge, if it has a stack of its own."""
        edge = self.layout.edge
        return [edge] if edge != self.layout.home and self._exists(edge) else []

    def _exists(self, environment: Environment) -> bool:
        cloudformation = self.clients("cloudformation", environment.region)
        return Stacks(cloudformation).status(environment.stack_name) is not None

    def _keys(self, environment: Environment) -> str:
        """Return the keys of a deployed stack.

        Raises:
            CommandError: The stack was deployed by an earlier version.
        """
        keys = parameters_of(self._describe(environment)).get(PARAMETER)
        if not keys:
            raise CommandError(
                f"{environment.stack_name} has no parameter OriginKeys. Deploy it again first: "
                f"make deploy PLACE={environment.name}"
            )
        return keys

    def _set(self, environment: Environment, keys: str) -> None:
        """Update a stack's parameter, if it has another value.

        Raises:
            CommandError: CloudFormation refused the update, or found nothing to change.
        """
        if self._keys(environment) == keys:
            return
        self.say(f"{environment.stack_name}: {PARAMETER}={keys}")
        collector.update_parameters(environment, {PARAMETER: keys}, self.clients)
        if self._keys(environment) != keys:
            raise CommandError(
                f"{environment.stack_name} has nothing that depends on OriginKeys. Deploy it again "
                f"first: make deploy PLACE={environment.name}"
            )

    def _describe(self, environment: Environment) -> dict[str, Any]:
        cloudformation = self.clients("cloudformation", environment.region)
        (stack,) = cloudformation.describe_stacks(StackName=environment.stack_name)["Stacks"]
        return dict(stack)

    def _secret(self, key: str) -> str:
        """Return the name of the secret with a key."""
        return f"{outputs_of(self._describe(self.layout.home))['OriginKeyPrefix']}-{key}"

    def _newest(self, keys: str) -> str:
        secrets = self.clients("secretsmanager", self.layout.home.region)

        def created(key: str) -> Any:
            return secrets.describe_secret(SecretId=self._secret(key))["CreatedDate"]

        return max(keys.split("+"), key=created)

    def _wait_for_replicas(self, key: str) -> None:
        """Wait until the Regions have the new secret, which their stacks refer to.

        Raises:
            CommandError: A replica failed or is late.
        """
        secrets = self.clients("secretsmanager", self.layout.home.region)
        name = self._secret(key)

        def late() -> list[str]:
            replicas = secrets.describe_secret(SecretId=name).get("ReplicationStatus", [])
            return [str(it["Region"]) for it in replicas if it["Status"] != "InSync"]

        self._wait(lambda: not late(), lambda: f"{name} has no replica in {', '.join(late())}")

    def _wait(self, is_ready: Callable[[], bool], problem: Callable[[], str]) -> None:
        waited = 0.0
        while not is_ready():
            if waited >= TIMEOUT_S:
                raise CommandError(
                    f"{problem()} after {TIMEOUT_S:.0f} seconds. CloudFront still sends the old "
                    "key, which all Regions accept. Repeat the command."
                )
            self.pause(1.0)
            waited += 1.0


def local_rotation(directory: Path) -> Rotation:
    """Return a rotation for the system that runs in a folder.

    Raises:
        CommandError: No system is running.
    """
    target, layout = running_layout(directory)
    return Rotation(
        layout,
        lambda service, region: client(service, StackTarget(target.endpoint, region)),
        spread_s=LOCAL_SPREAD_S,
    )


def aws_rotation(name: str) -> Rotation:
    """Return a rotation for the stage of an environment in samconfig.toml.

    Raises:
        CommandError: The environment doesn't exist.
    """
    return Rotation(
        layout_of(read_environments(name)[0]),
        lambda service, region: boto3.client(service, region_name=region),  # type: ignore[call-overload] # any service
    )


def main(environment: Mapping[str, str] = os.environ, directory: Path = STATE / "up") -> int:
    """Rotate the key of the stage PLACE on AWS, or else of the system of `make up`.

    Raises:
        CommandError: The key can't be rotated, or AWS refused a call.
    """
    name = environment.get("PLACE", "")
    rotation = aws_rotation(name) if name else local_rotation(directory)
    try:
        rotation.run()
    except (ClientError, BotoCoreError) as error:
        raise CommandError(
            f"Can't rotate the key: {reason_of(error)}. CloudFront sends a key that all Regions "
            "accept. Check your credentials and repeat the command."
        ) from error
    return 0


if __name__ == "__main__":
    raise SystemExit(exit_code(main))
