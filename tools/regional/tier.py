"""The catalogue of all Regions: start it, lose a Region, promote a replica, take a Region back."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

import psutil

from aws_emulator.errors import CommandError
from aws_emulator.processes import free_port
from tools.paths import ROOT
from tools.regional import postgres
from tools.regional.functions import PYTHON, install_requirements
from tools.regional.postgres import DATABASE, HOST, OWNER, Postgres
from tools.regional.region import RegionSettings
from tools.regional.valkey import Valkey

SEED: Final = Path(__file__).with_name("courses.sql")
START_S: Final = 90.0
#: Parts of a Region that `kill` ends, and the beginning of its program's name.
PARTS: Final = {"database": "postgres", "cache": "valkey", "balancer": ""}
_STEP_S: Final = 0.05


class Tier:
    """The Regions' processes. The first Region has the primary."""

    def __init__(
        self,
        folder: Path,
        regions: Sequence[str],
        delay_ms: int = 0,
        hosts: Mapping[str, str] | None = None,
    ) -> None:
        """Choose ports and remove an earlier run's data.

        Args:
            folder: A folder for data and logs.
            regions: The Regions, the home first.
            delay_ms: Milliseconds by which a replica is behind, as over an ocean.
            hosts: A loopback address of each Region, whose load balancers then have one port.
        """
        self.folder = folder
        self.home = regions[0]
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        path = install_requirements(folder.parent / "catalogue-packages")
        shared_port = free_port() if hosts else 0
        self.settings = {
            region: RegionSettings(
                region=region,
                home_region=regions[0],
                folder=str(folder / region),
                database_port=free_port(),
                writer_port=free_port(),
                cache_port=free_port(),
                balancer_port=shared_port or free_port(),
                path=path,
                variables={},
                delay_ms=delay_ms,
                balancer_host=hosts[region] if hosts else HOST,
            )
            for region in regions
        }
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def urls(self) -> dict[str, str]:
        """The address of each Region's load balancer."""
        return {
            region: f"http://{settings.balancer_host}:{settings.balancer_port}"
            for region, settings in self.settings.items()
        }

    @property
    def running(self) -> set[str]:
        """The Regions that aren't lost."""
        return set(self._processes)

    def create(self) -> None:
        """Create the primary's data: the schema and the courses. No server runs afterwards.

        Raises:
            CommandError: The server doesn't start, or a migration failed.
        """
        primary = self.settings[self.home].server()
        primary.folder.parent.mkdir(parents=True, exist_ok=True)
        primary.create()
        primary.start()
        primary.sql(f"CREATE DATABASE {DATABASE}", database="postgres")
        self._migrate(primary)
        primary.sql(SEED.read_text("utf-8"))
        primary.stop()

    def start(
        self,
        variables: Mapping[str, str],
        origin_key: str = "",
        key_prefix: str = "",
        emulator: str = "",
    ) -> None:
        """Start all Regions after `create`: the primary, then its replicas.

        Args:
            variables: The variables STAFF_ISSUER, STAFF_CLIENTS and STAFF_KEYS of the function.
            origin_key: The header X-Origin-Verify of CloudFront; '' admits all requests.
            key_prefix: Prefix of the names of its secrets, if the key can change.
            emulator: The endpoint of Secrets Manager.

        Raises:
            CommandError: A server doesn't start.
        """
        self.settings = {
            region: replace(
                it,
                variables=dict(variables),
                origin_key=origin_key,
                key_prefix=key_prefix,
                emulator=emulator,
            )
            for region, it in self.settings.items()
        }
        self._name_writer(self.home)
        self._start(self.home)
        for region in list(self.settings)[1:]:
            self._follow(region)
            self._start(region)

    def server(self, region: str) -> Postgres:
        """Return a Region's database server."""
        return self.settings[region].server()

    def lose(self, region: str) -> None:
        """Kill a Region's processes at once."""
        process = self._processes.pop(region)
        workers = _descendants(process.pid)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        _kill(workers)
        process.wait()

    def kill(self, region: str, part: str) -> None:
        """Kill one of `PARTS` of a Region at once. The others go on."""
        group = self._processes[region]
        if part == "balancer":
            # Its process starts the others, which end with `lose`.
            group.kill()
            group.wait()
            return
        children = psutil.Process(group.pid).children()
        server = next(it for it in children if it.name().startswith(PARTS[part]))
        _kill([server, *_descendants(server.pid)])

    def restart(self, region: str, part: str) -> None:
        """Start one of `PARTS` of a Region again, with its data, in the same role.

        Raises:
            CommandError: A server doesn't start.
        """
        settings = self.settings[region]
        if part == "balancer":
            self.lose(region)
            self._start(region)
            return
        os.kill(self._processes[region].pid, signal.SIGUSR1)
        server, cache = settings.server(), Valkey(settings.cache_port)
        until = time.monotonic() + START_S
        while not (server.is_ready() and cache.is_ready()):
            if time.monotonic() > until:
                raise CommandError(
                    f"The catalogue of {region} doesn't start. Read {settings.folder}/region.log."
                )
            time.sleep(_STEP_S)

    def promote(self, region: str) -> None:
        """Make a Region's replica the primary, and send changes there.

        Raises:
            CommandError: The replica can't be promoted.
        """
        server = self.server(region)
        server.promote()
        for other in self.settings:
            if other != region:
                server.create_slot(self.settings[other].slot)
        self.home = region
        self._name_writer(region)

    def take_back(self, region: str) -> None:
        """Start a lost Region again, as a replica of the primary.

        Raises:
            CommandError: The primary doesn't answer, or a server doesn't start.
        """
        settings = self.settings[region]
        server = settings.server()
        if not (server.folder / "standby.signal").exists():
            try:
                server.rewind(self.server(self.home), settings.slot)
            except CommandError:
                # The lost server removed the log since the last common checkpoint.
                shutil.rmtree(server.folder)
                server.follow(self.server(self.home), settings.slot)
        self._start(region)

    def stop(self) -> None:
        """Kill all processes."""
        for region in list(self._processes):
            self.lose(region)

    def _name_writer(self, region: str) -> None:
        # Replaced as a whole: a connection never reads half of an address.
        temporary = self.folder / "writer.new"
        temporary.write_text(self.server(region).address, "ascii")
        temporary.replace(self.folder / "writer")

    def _follow(self, region: str) -> None:
        settings = self.settings[region]
        Path(settings.folder).mkdir(parents=True, exist_ok=True)
        settings.server().follow(self.server(self.home), settings.slot)

    def _start(self, region: str) -> None:
        settings = self.settings[region]
        file, ready = settings.write(), Path(settings.folder) / "ready"
        ready.unlink(missing_ok=True)
        with (Path(settings.folder) / "region.log").open("ab") as log:
            self._processes[region] = subprocess.Popen(
                [sys.executable, "-m", "tools.regional.region", str(file)],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until = time.monotonic() + START_S
        while not ready.exists():
            if self._processes[region].poll() is not None or time.monotonic() > until:
                raise CommandError(
                    f"The catalogue of {region} doesn't start. Read {settings.folder}/region.log."
                )
            time.sleep(_STEP_S)

    def _migrate(self, primary: Postgres) -> None:
        environment = {
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": ":".join(self.settings[self.home].path),
            "CATALOGUE_WRITER": primary.address,
            "CATALOGUE_OWNER": OWNER,
            "CATALOGUE_DATABASE": DATABASE,
            "CATALOGUE_AUTH": "trust",
        }
        done = subprocess.run(
            [str(PYTHON), "-m", "catalogue.migration"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no reason"])[-1].rstrip(".")
            raise CommandError(f"The catalogue's schema can't be created: {reason}. Correct it.")


def _descendants(pid: int) -> list[psutil.Process]:
    """Return the processes below one. Those of PostgreSQL aren't in its process group."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _kill(processes: Sequence[psutil.Process]) -> None:
    """Kill the processes in their order: one that computes wouldn't notice its server's end."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


@contextmanager
def running(
    folder: Path, regions: Sequence[str], variables: Mapping[str, str], delay_ms: int = 0
) -> Iterator[Tier]:
    """Start the catalogue of the Regions, and stop it at the end of the context.

    Raises:
        CommandError: PostgreSQL isn't usable on this computer, or a server doesn't start.
    """
    if not postgres.is_usable():
        raise CommandError(
            "The course catalogue needs PostgreSQL and Valkey. Read the warning above."
        )
    tier = Tier(folder, regions, delay_ms)
    try:
        tier.create()
        tier.start(variables)
        yield tier
    finally:
        tier.stop()
