"""`python -m tools.deployment COMMAND ENVIRONMENT`: check, deploy or destroy an environment.

The commands use the credentials that boto3 finds.
"""

import argparse
from collections.abc import Callable
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from aws_emulator.errors import CommandError
from tools.cli import exit_code, reason_of
from tools.deployment.deploy import deploy
from tools.deployment.destroy import destroy
from tools.deployment.environments import Environment, read_environment
from tools.deployment.preflight.command import preflight, require_no_errors
from tools.deployment.smoke.command import smoke


def _preflight(environment: Environment) -> None:
    require_no_errors(environment, preflight(environment))


COMMANDS: Final[dict[str, Callable[[Environment], None]]] = {
    "preflight": _preflight,
    "deploy": deploy,
    "smoke": smoke,
    "destroy": destroy,
}


def main() -> int:
    """Run a command for one environment and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.deployment", description=__doc__)
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument(
        "environment", help="an environment of samconfig.toml: default, london or mumbai"
    )
    arguments = parser.parse_args()

    def command() -> int:
        try:
            COMMANDS[arguments.command](read_environment(arguments.environment))
        except (ClientError, BotoCoreError) as error:
            raise CommandError(
                f"Can't {arguments.command} {arguments.environment}: {reason_of(error)}. Check "
                "your credentials with `aws sts get-caller-identity`, and their permissions."
            ) from error
        return 0

    return exit_code(command)


if __name__ == "__main__":
    raise SystemExit(main())
