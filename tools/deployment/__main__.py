"""`python -m tools.deployment COMMAND ENVIRONMENT`: check, deploy or destroy an environment.

The name of a stage means its environments: home, further Regions, edge.

The commands use the credentials that boto3 finds.
"""

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from aws_emulator.errors import CommandError
from tools.cli import exit_code, reason_of
from tools.deployment.deploy import deploy_all
from tools.deployment.destroy import destroy
from tools.deployment.environments import Environment, read_environments
from tools.deployment.preflight.command import preflight, require_no_errors
from tools.deployment.recovery import leftovers_command
from tools.deployment.smoke.command import smoke

type Command = Callable[[Sequence[Environment]], int | None]


def _preflight(environments: Sequence[Environment]) -> None:
    deploys_home = len(environments) > 1
    for environment in environments:
        require_no_errors(environment, preflight(environment, deploys_home=deploys_home))


def _of_first(command: Callable[[Environment], int | None]) -> Command:
    """Run a command for the first environment: of a stage, its home Region."""
    return lambda environments: command(environments[0])


def _leftovers(environments: Sequence[Environment], *, removes: bool) -> int:
    return max(leftovers_command(it, removes=removes) for it in environments)


#: A command returns its exit code, or None for 0.
COMMANDS: Final[dict[str, Command]] = {
    "preflight": _preflight,
    "deploy": deploy_all,
    "leftovers": partial(_leftovers, removes=False),
    "smoke": _of_first(smoke),
    "destroy": _of_first(destroy),
}

#: Verbs for messages, if a command is a noun.
_VERBS: Final = {"leftovers": "look up the leftovers of"}


def main() -> int:
    """Run a command for one environment and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.deployment", description=__doc__)
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument(
        "environment", help="an environment of samconfig.toml, or a stage with all of its ones"
    )
    parser.add_argument(
        "--remove", action="store_true", help="leftovers: delete those without data"
    )
    arguments = parser.parse_args()
    run = COMMANDS[arguments.command]
    if arguments.remove:
        if arguments.command != "leftovers":
            parser.error("--remove belongs to the command leftovers")
        run = partial(_leftovers, removes=True)

    def command() -> int:
        try:
            return run(read_environments(arguments.environment)) or 0
        except (ClientError, BotoCoreError) as error:
            verb = _VERBS.get(arguments.command, arguments.command)
            raise CommandError(
                f"Can't {verb} {arguments.environment}: {reason_of(error)}. Check your "
                "credentials with `aws sts get-caller-identity`, and their permissions."
            ) from error

    return exit_code(command)


if __name__ == "__main__":
    raise SystemExit(main())
