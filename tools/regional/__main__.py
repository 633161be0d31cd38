"""`make catalogue`: the course catalogue in several Regions, to lose and to promote."""

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from aws_emulator.errors import CommandError
from tools.cli import exit_code
from tools.dev.options import Options
from tools.paths import STATE
from tools.regional import postgres
from tools.regional.tier import Tier, running

#: Further Regions of `make catalogue` without REGIONS.
DEFAULT_REGIONS: Final = "eu-west-2"
#: Without a user pool, no token of the staff is valid.
NO_STAFF: Final = {
    "STAFF_ISSUER": "https://issuer.invalid",
    "STAFF_CLIENTS": "none",
    "STAFF_KEYS": '{"keys": []}',
}
HELP: Final = """
Commands:
  lose REGION      kill the Region's database, cache and load balancer
  promote REGION   make its replica the primary
  return REGION    start a lost Region again, as a replica
  quit
"""


def act(tier: Tier, words: Sequence[str]) -> str:
    """Apply a command, and return a line for the terminal.

    Raises:
        CommandError: The command or the Region is unknown, or a server refused.
    """
    match words:
        case ["lose", region] if region in tier.running:
            tier.lose(region)
            return f"{region} is lost."
        case ["promote", region] if region in tier.running and region != tier.home:
            tier.promote(region)
            return f"{region} has the primary. Changes go there."
        case ["return", region] if region in tier.settings and region not in tier.running:
            tier.take_back(region)
            return f"{region} is back."
    raise CommandError(
        f"{' '.join(words)!r} can't be done. Running: {', '.join(sorted(tier.running))}; "
        f"primary: {tier.home}. Use lose, promote or return with a Region."
    )


def serve(environment: Mapping[str, str]) -> int:
    """Start the catalogue, and read commands until the end of the input.

    Without PostgreSQL and Valkey, only the sentence about it is printed.

    Raises:
        CommandError: An option is invalid, or a server doesn't start.
    """
    regions = Options.from_environment({"REGIONS": DEFAULT_REGIONS} | dict(environment)).regions
    if not postgres.is_usable():
        return 0
    print(f"… starting the catalogue of {', '.join(regions)}", flush=True)
    with running(STATE / "catalogue", regions, NO_STAFF) as tier:
        for region, url in tier.urls.items():
            print(f"  {region:<14} {url}/catalogue/courses?q=algebra")
        print(HELP, flush=True)
        for line in sys.stdin:
            words = shlex.split(line)
            if words == ["quit"]:
                break
            if words:
                try:
                    print(act(tier, words), flush=True)
                except CommandError as error:
                    print(f"error: {error}", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(exit_code(lambda: serve(os.environ)))
