"""`make source` and `make suppress`: change the collector's sources and suppressed persons."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aws_emulator.errors import CommandError
from tools.cli import exit_code
from tools.operations.staff_functions import invoke
from tools.operations.stage import find_stage

ACTIONS: Final = ("create", "configure", "rotate", "retire", "disable", "enable", "remove")


def suppression_of(environment: Mapping[str, str]) -> dict[str, object]:
    """Return the request of `make suppress`.

    Raises:
        CommandError: PERSON is missing.
    """
    person = environment.get("PERSON")
    if not person:
        raise CommandError("Run `make suppress` with PERSON=<userId or anonymousId>.")
    return {"action": "release" if environment.get("RELEASE") else "suppress", "person": person}


def request_of(environment: Mapping[str, str]) -> dict[str, object]:
    """Return the request of `make source`. Without ACTION, it lists the sources.

    Raises:
        CommandError: A variable is missing or has an invalid value.
    """
    action = environment.get("ACTION")
    if not action:
        return {"action": "list"}
    name = environment.get("ID")
    if action not in ACTIONS or not name:
        raise CommandError(
            f"Run `make source` with ID=<source> and an ACTION of {', '.join(ACTIONS)}; without "
            "variables, it lists the sources."
        )
    request: dict[str, object] = {"action": action, "id": name}
    if settings := environment.get("SETTINGS"):
        try:
            request["settings"] = json.loads(settings)
        except ValueError as error:
            raise CommandError(
                f"SETTINGS isn't valid JSON: {error}. Set it in single quotes, as in docs/sdks.md."
            ) from error
    return request


def change(functions: Any, stage: str, request: Mapping[str, object]) -> str:
    """Invoke the function of a stage with a Lambda client. Return lines that say what happened.

    Raises:
        CommandError: The function can't be invoked, or refused the change.
    """
    body = invoke(functions, f"meridian-{stage}-sources", request)
    return "\n".join(_lines(body))


def _lines(body: Mapping[str, Any]) -> list[str]:
    lines = []
    for source in body["sources"]:
        state = "enabled" if source["enabled"] else "disabled"
        settings = json.dumps(source["settings"]) if source["settings"] else "default settings"
        keys = "1 write key" if source["keys"] == 1 else f"{source['keys']} write keys"
        lines.append(f"{source['id']:<20} {state:<9} {keys:<13} {settings}")
    suppressed = body["suppressed"]
    lines.append(f"{suppressed} suppressed {'id' if suppressed == 1 else 'ids'} of persons.")
    if "writeKey" in body:
        lines.append(f"Write key: {body['writeKey']} (store it now: only its hash is kept)")
    if "effectiveWithinSeconds" in body:
        lines.append(
            f"The collector applies the change within {body['effectiveWithinSeconds']} seconds."
        )
    return lines


def main(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> int:
    """Change the sources of the stage STAGE on AWS, or else of the system of `make up`.

    With the argument `suppress`, suppress or release a person.

    Raises:
        CommandError: No system is running, or the change failed.
    """
    request = (suppression_of if "suppress" in arguments else request_of)(environment)
    stage = find_stage(environment)
    print(change(stage.clients("lambda"), stage.name, request))
    return 0


if __name__ == "__main__":
    raise SystemExit(exit_code(lambda: main(sys.argv[1:])))
