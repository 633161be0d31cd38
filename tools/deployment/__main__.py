"""`python -m tools.deployment PLACE`: deploy one place to AWS.

A place is an environment of samconfig.toml.
"""

import argparse

from botocore.exceptions import BotoCoreError, ClientError

from aws_emulator.errors import CommandError
from tools.cli import exit_code
from tools.deployment.deploy import deploy


def main() -> int:
    """Deploy one environment and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.deployment", description=__doc__)
    parser.add_argument("place", help="an environment of samconfig.toml: default, london or mumbai")
    place = parser.parse_args().place

    def command() -> int:
        try:
            deploy(place)
        except (ClientError, BotoCoreError) as error:
            raise CommandError(f"Can't deploy {place}: {error}") from error
        return 0

    return exit_code(command)


if __name__ == "__main__":
    raise SystemExit(main())
