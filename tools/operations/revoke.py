"""`make revoke`: revoke the tokens of a user, of a session, or of everyone."""

import os
from collections.abc import Mapping
from typing import Any, Final

from aws_emulator.errors import CommandError
from tools.cli import exit_code
from tools.operations.staff_functions import invoke
from tools.operations.stage import find_stage

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
    body = invoke(functions, f"meridian-{stage}-revocations", request)
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
    stage = find_stage(environment)
    print(revoke(stage.clients("lambda"), stage.name, request))
    return 0


if __name__ == "__main__":
    raise SystemExit(exit_code(main))
