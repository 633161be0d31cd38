"""`make revoke`: revoke the tokens of a user, of a session, or of everyone."""

import json
import os
from collections.abc import Mapping
from typing import Any, Final

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from aws_emulator.errors import CommandError
from tools.cli import exit_code, reason_of
from tools.deployment.environments import home_region_of
from tools.paths import STATE
from tools.stack import client, find_running_stack

#: The lifetime of the media's cookies (stacks/edge-media.yaml).
MEDIA_MINUTES: Final = 10
_NAMES: Final = ("USER_NAME", "SESSION", "EVERYONE")


def request_of(environment: Mapping[str, str]) -> dict[str, object]:
    """Return the revocation that the variables USER_NAME, SESSION and EVERYONE name.

    Raises:
        CommandError: None of them is set, or several are.
    """
    named = [name for name in _NAMES if environment.get(name)]
    if len(named) != 1:
        raise CommandError(
            "Run `make revoke` with one of USER=<email address>, SESSION=<origin_jti> and "
            "EVERYONE=1."
        )
    if named == ["EVERYONE"]:
        return {"everyone": True}
    kind = "user" if named == ["USER_NAME"] else "session"
    return {kind: environment[named[0]]}


def revoke(functions: Any, stage: str, request: Mapping[str, object]) -> str:
    """Invoke the function of a stage with a Lambda client. Return a line that says what happened.

    Raises:
        CommandError: The function can't be invoked, or refused the revocation.
    """
    name = f"meridian-{stage}-revocations"
    try:
        response = functions.invoke(FunctionName=name, Payload=json.dumps(request).encode())
    except (ClientError, BotoCoreError) as error:
        raise CommandError(
            f"Can't invoke {name}: {reason_of(error)}. Check STAGE= and your credentials."
        ) from error
    result = json.loads(response["Payload"].read() or b"{}")
    if "FunctionError" in response or result.get("status") != 200:
        detail = result.get("body", {}).get("detail", "The function failed.")
        raise CommandError(f"Nothing was revoked: {detail} Read the log of {name}.")
    body = result["body"]
    return (
        f"Revoked ({body['revoked']}). edge_auth refuses the tokens within "
        f"{body['effective_within_seconds']} seconds. Media that is open closes within "
        f"{MEDIA_MINUTES} minutes. The deny-list has {body['entries']} entries."
    )


def main(environment: Mapping[str, str] = os.environ) -> int:
    """Revoke tokens in the stage STAGE on AWS, or else in the system of `make up`.

    Raises:
        CommandError: No system is running, or the revocation failed.
    """
    request = request_of(environment)
    stage = environment.get("STAGE")
    if stage:
        functions = boto3.client("lambda", region_name=home_region_of(stage))
    else:
        target = find_running_stack(STATE / "up")
        if target is None:
            raise CommandError(
                "No system is running. Start `make up` in another terminal, or set STAGE=<stage> "
                "for a stage on AWS."
            )
        functions, stage = client("lambda", target), target.stage
    print(revoke(functions, stage, request))
    return 0


if __name__ == "__main__":
    raise SystemExit(exit_code(main))
