"""One Region's database, cache and load balancer, as one group of processes.

    python -m tools.regional.region <settings file>

Killing the group is the loss of the Region's catalogue. After SIGUSR1, a database or a cache that
has ended starts again, while the load balancer goes on.
"""

import json
import os
import signal
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from tools.regional.acknowledgement import watch
from tools.regional.balancer import listener
from tools.regional.functions import Function
from tools.regional.origin_keys import OriginKeys
from tools.regional.postgres import HOST, Postgres
from tools.regional.valkey import Valkey
from tools.regional.writer_endpoint import WriterEndpoint

#: Environments of the function. AWS has 20 (reserved concurrency).
CONCURRENCY: Final = 4


@dataclass(frozen=True)
class RegionSettings:
    """The settings of a Region's process.

    `primary_port` is the port of the server to follow. Without `cache_port` there is no cache. The
    load balancer admits requests with `origin_key`, or with one of the secrets in `emulator` whose
    names begin with `key_prefix`; all requests without a key.
    """

    region: str
    home_region: str
    folder: str
    database_port: int
    writer_port: int
    cache_port: int
    balancer_port: int
    path: list[str]
    variables: dict[str, str]
    primary_port: int = 0
    delay_ms: int = 0
    balancer_host: str = HOST
    origin_key: str = ""
    key_prefix: str = ""
    emulator: str = ""

    @property
    def slot(self) -> str:
        """Return the name of the Region's replication slot."""
        return self.region.replace("-", "_")

    def server(self) -> Postgres:
        """Return the Region's database server."""
        return Postgres(Path(self.folder) / "data", self.database_port)

    def write(self) -> Path:
        """Write the settings' file, and return its path."""
        path = Path(self.folder) / "settings.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self)), "utf-8")
        return path

    def environment(self) -> dict[str, str]:
        """Return the function's environment variables."""
        return {
            "CATALOGUE_READER": f"{HOST}:{self.database_port}",
            "CATALOGUE_WRITER": f"{HOST}:{self.writer_port}",
            "CATALOGUE_DATABASE": "catalogue",
            "CATALOGUE_USER": "catalogue_app",
            "CATALOGUE_AUTH": "trust",
            "CATALOGUE_CACHE": f"{HOST}:{self.cache_port}" if self.cache_port else "",
            "CATALOGUE_CACHE_MODE": "plain",
            "AWS_REGION": self.region,
            "HOME_REGION": self.home_region,
            **self.variables,
        }


def serve(settings: RegionSettings) -> None:
    """Start the Region's servers, write the file `ready`, and serve until the process is killed.

    Raises:
        CommandError: A server doesn't start.
    """
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    folder = Path(settings.folder)
    server = settings.server()
    is_replica = (server.folder / "standby.signal").exists()
    delay = [f"recovery_min_apply_delay={settings.delay_ms}ms"] if is_replica else []
    server.start(delay)
    threading.Thread(target=watch, args=(settings.database_port,), daemon=True).start()
    cache = Valkey(settings.cache_port) if settings.cache_port else None
    if cache is not None:
        cache.start()

    def revive(*_signal: object) -> None:
        threading.Thread(target=_revive, args=(server, cache, delay), daemon=True).start()

    signal.signal(signal.SIGUSR1, revive)
    endpoint = WriterEndpoint(settings.writer_port, folder.parent / "writer")
    threading.Thread(target=endpoint.serve, daemon=True).start()
    log = folder / "function.log"
    with Function(settings.environment(), settings.path, log, CONCURRENCY).running() as function:
        keys = OriginKeys(
            settings.origin_key, settings.key_prefix, settings.emulator, settings.home_region
        )
        balancer = listener(
            settings.balancer_port, function.invoke, keys.admit, settings.balancer_host
        )
        (folder / "ready").write_text(str(os.getpid()), "ascii")
        balancer.serve_forever()


def _revive(server: Postgres, cache: Valkey | None, options: list[str]) -> None:
    """Start the servers again that have ended, with their data."""
    if cache is not None and cache.process is not None and cache.process.poll() is not None:
        cache.start()
    if server.process is not None and server.process.poll() is not None:
        server.start(options)


def _end_with(parent: int) -> None:
    """Kill the Region when the command that started it was killed."""
    while os.getppid() == parent:
        time.sleep(1)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    serve(RegionSettings(**json.loads(Path(sys.argv[1]).read_text("utf-8"))))
