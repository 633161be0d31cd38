"""Record a command in a pseudo-terminal as an asciicast, version 2.

Format: a header object, then one line `[seconds, "o", text]` for each output (asciinema, "asciicast
v2"). The checkout's path becomes CHECKOUT, and other paths of this machine are removed.
"""

import codecs
import json
import os
import pty
import re
import select
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aws_emulator.errors import CommandError
from tools.paths import ROOT

WIDTH: Final = 100
HEIGHT: Final = 30
#: The path that a recording shows instead of this checkout's.
CHECKOUT: Final = "/home/you/meridian"
#: Steps of a recording: equal parts of its time, of at least this length.
MAX_STEPS: Final = 70
MIN_STEP_S: Final = 0.1
_VERSION: Final = 2
#: A line that is erased and drawn again: rich's progress bars, ten times a second.
_REDRAWN: Final = re.compile(r"\r\x1b\[2K[^\r\n]*(?=\r\x1b\[2K)")


@dataclass
class Cast:
    """A recorded command, its exit code, and its outputs with the seconds since its start."""

    command: str
    exit_code: int = 0
    outputs: list[tuple[float, str]] = field(default_factory=list)

    def steps(self) -> Iterator[tuple[float, str]]:
        """Yield the outputs of each step as one, with the time of the last, in seconds.

        Equal steps, so that no part of a long recording is left out.
        """
        if not self.outputs:
            return
        interval = max(self.outputs[-1][0] / MAX_STEPS, MIN_STEP_S)
        text, last = "", 0.0
        for at, more in self.outputs:
            text += more
            if at - last >= interval:
                yield at, text
                text, last = "", at
        if text:
            yield self.outputs[-1][0], text

    def condensed(self) -> "Cast":
        """Return the recording with one output per step, and without lines that no step shows."""
        outputs = [(at, _REDRAWN.sub("", text)) for at, text in self.steps()]
        return Cast(self.command, self.exit_code, outputs)

    def write(self, path: Path) -> None:
        """Write the recording.

        Raises:
            CommandError: The file can't be written.
        """
        header: dict[str, Any] = {"version": _VERSION, "width": WIDTH, "height": HEIGHT}
        header |= {"command": self.command, "exit_code": self.exit_code}
        lines = [header, *([round(at, 3), "o", text] for at, text in self.outputs)]
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        except OSError as error:
            raise CommandError(f"Can't write {path}: {error.strerror}.") from error

    @classmethod
    def read(cls, path: Path) -> "Cast":
        """Read a recording.

        Raises:
            CommandError: The file is missing or invalid.
        """
        try:
            header, *events = (json.loads(line) for line in path.read_text().splitlines())
            outputs = [(float(at), str(text)) for at, kind, text in events if kind == "o"]
            return cls(str(header["command"]), int(header.get("exit_code", 0)), outputs)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CommandError(f"Can't read {path}: not a recording (asciicast v2).") from error


def record(command: str, environment: Mapping[str, str]) -> Cast:
    """Run a shell command in a pseudo-terminal, print its output, and return the recording."""
    leader, follower = pty.openpty()
    termios.tcsetwinsize(follower, (HEIGHT, WIDTH))
    started = time.monotonic()
    process = subprocess.Popen(
        ["sh", "-c", command],
        cwd=ROOT,
        env={**environment, "TERM": "xterm-256color", "COLUMNS": str(WIDTH)},
        stdin=subprocess.DEVNULL,
        stdout=follower,
        stderr=follower,
    )
    os.close(follower)
    cast = Cast(command)
    try:
        for text in _read(leader):
            sys.stdout.write(text)
            sys.stdout.flush()
            cast.outputs.append((time.monotonic() - started, without_paths(text)))
    finally:
        os.close(leader)
        cast.exit_code = process.wait()
    return cast


def _read(leader: int) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    while True:
        # Outputs of one moment belong together: a redrawn line is never shown half.
        select.select([leader], [], [])
        time.sleep(0.02)
        try:
            data = os.read(leader, 1 << 16)
        except OSError:  # EIO: the last process has closed the terminal (Linux, pty(7))
            return
        if not data:
            return
        yield decoder.decode(data)


def without_paths(text: str, root: Path = ROOT) -> str:
    """Replace the checkout's path, and remove other paths below the same folder."""
    text = text.replace(str(root), CHECKOUT)
    top = "/".join(root.parts[:2]).replace("//", "/")
    if CHECKOUT.startswith(f"{top}/"):
        return text
    return re.sub(rf"{re.escape(top)}(?:/[^\s'\"]*)?(?![\w-])", "…", text)
