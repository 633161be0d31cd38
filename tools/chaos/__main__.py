"""`python -m tools.chaos`: start the system, inject faults, repair, check; behind `make chaos`."""

import os
from secrets import randbelow

from aws_emulator.errors import CommandError
from tools.chaos import command
from tools.chaos.plan import Plan
from tools.cli import exit_code
from tools.dev import system
from tools.dev.options import Options
from tools.paths import STATE


def chaos() -> int:
    """Run one plan on a new system. Returns 0 only if every check passes.

    Raises:
        CommandError: The system can't be started, or didn't accept or process the data in time.
    """
    options = Options.from_environment(os.environ)
    seed = randbelow(2**31) if options.seed is None else options.seed
    with system.start(STATE / "chaos", options.ports()) as running:
        try:
            return command.run(running, Plan(seed))
        except CommandError as error:
            raise CommandError(
                f"{error} Repeat the run with `make chaos SEED={seed}`. Logs: .meridian/chaos/logs/"
            ) from error


if __name__ == "__main__":
    raise SystemExit(exit_code(chaos))
