"""`python -m tools.recording`: record commands, and draw recordings as an animated SVG.

    python -m tools.recording record docs/make-run.cast make run
    python -m tools.recording draw docs/make-run.svg docs/make-run.cast

`record` runs the command in a terminal of 100 columns and returns its exit code. It keeps the
outputs that a picture shows. `draw` shows recordings one after the other.
"""

import argparse
import os
import shlex
from pathlib import Path

from aws_emulator.errors import CommandError
from tools.cli import exit_code
from tools.recording.cast import Cast, record
from tools.recording.svg import draw


def main() -> int:
    """Run one command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.recording", description=__doc__)
    commands = parser.add_subparsers(required=True)
    recorder = commands.add_parser("record", help="record a command")
    recorder.add_argument("cast", type=Path, help="the recording, an asciicast")
    recorder.add_argument("command", nargs=argparse.REMAINDER, help="the command")
    recorder.set_defaults(run=_record)
    drawer = commands.add_parser("draw", help="draw recordings")
    drawer.add_argument("picture", type=Path, help="the SVG file")
    drawer.add_argument("casts", type=Path, nargs="+", help="recordings")
    drawer.set_defaults(run=_draw)
    options = parser.parse_args()
    return exit_code(lambda: options.run(options))


def _record(options: argparse.Namespace) -> int:
    if not options.command:
        raise CommandError("The command is missing, as in: record run.cast make run")
    cast = record(shlex.join(options.command), os.environ)
    cast.condensed().write(options.cast)
    return cast.exit_code


def _draw(options: argparse.Namespace) -> int:
    casts = [Cast.read(path) for path in options.casts]
    failed = [cast.command for cast in casts if cast.exit_code]
    if failed:
        raise CommandError(f"The recorded command failed: {failed[0]}. Record it again.")
    options.picture.write_text(draw(casts))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
