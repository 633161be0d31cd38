"""`python -m tools.deployment CONFIG_ENV`: deploy one environment of samconfig.toml to AWS."""

import argparse

from botocore.exceptions import BotoCoreError, ClientError

from aws_emulator.errors import CommandError
from tools.cli import exit_code
from tools.deployment.deploy import deploy


def main() -> int:
    """Deploy one environment and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.deployment", description=__doc__)
    parser.add_argument(
        "config_env", help="an environment of samconfig.toml: default, london or mumbai"
    )
    config_env = parser.parse_args().config_env

    def command() -> int:
        try:
            deploy(config_env)
        except (ClientError, BotoCoreError) as error:
            raise CommandError(f"Can't deploy {config_env}: {error}") from error
        return 0

    return exit_code(command)


if __name__ == "__main__":
    raise SystemExit(main())
