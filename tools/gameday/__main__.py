"""`python -m tools.gameday`: the production layout, visitors and losses; behind `make gameday`."""

import os
import time
from secrets import randbelow
from typing import Final

from aws_emulator.errors import CommandError
from tools.cli import exit_code
from tools.dev import system
from tools.dev.options import Options
from tools.gameday import command
from tools.gameday.acts import CLOCK_SPEED, REGIONS, draw_acts
from tools.paths import STATE

_DOMAIN: Final = "school.example"


def gameday() -> int:
    """Play one day on a new system. Returns 0 only if every check passes.

    Raises:
        CommandError: The system can't be started, or didn't process the data in time.
    """
    began = time.monotonic()
    options = Options.from_environment(os.environ)
    seed = randbelow(2**31) if options.seed is None else options.seed
    folder = STATE / "gameday"
    with system.start(
        folder,
        options.ports(),
        REGIONS,
        domain=_DOMAIN,
        dns_speed=CLOCK_SPEED,
        with_catalogue=options.catalogue,
    ) as running:
        try:
            return command.run(running, command.Plan(seed, draw_acts(seed)), began)
        except CommandError as error:
            raise CommandError(
                f"{error} Repeat the day with `make gameday SEED={seed}`. "
                "Logs: .meridian/gameday/logs/"
            ) from error


if __name__ == "__main__":
    raise SystemExit(exit_code(gameday))
