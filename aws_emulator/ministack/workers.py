"""Start processes of functions outside an invocation, and replace a function's processes."""

import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from aws_emulator.ministack.control_api import Query
from aws_emulator.ministack.symbols import Symbols

DEFAULT_REGION: Final = "us-east-1"
#: Lambda limits the Init phase to 10 seconds; an import on a busy machine may take longer.
MAX_INIT_S: Final = 60.0
#: The number of log lines that a failed start shows.
MAX_LOG_LINES: Final = 20
_POLL_S: Final = 0.05


@dataclass(frozen=True)
class StartFailure:
    """The reason why a function can't start, with the last lines of its log."""

    type: str
    message: str
    log: str = ""

    def as_json(self) -> dict[str, str]:
        """Return the failure as a JSON object."""
        return asdict(self)


class Workers:
    """MiniStack's worker processes by function and version."""

    def __init__(self) -> None:
        self._runtime = Symbols(
            "ministack.core.lambda_runtime",
            "_lock",
            "_worker_class_for",
            "_worker_key",
            "_workers",
            "kill_workers",
        )
        self._service = Symbols(
            "ministack.services.lambda_svc", "_functions", "_run_with_function_config_scope"
        )

    def find(self, account: str, query: Query) -> dict[str, Any]:
        """Return MiniStack's record of the function in `query`, or of its published version.

        Raises:
            ValueError: The function or the version doesn't exist, or has no package.
        """
        name, region = query.get("function", ""), query.get("region", DEFAULT_REGION)
        function: dict[str, Any] | None = self._service["_functions"].get_scoped(
            account, region, name
        )
        if function is None or not function.get("code_zip"):
            raise ValueError(f"{region} has no function {name!r} with a package.")
        version = query.get("version", "$LATEST")
        if version == "$LATEST":
            return function
        published: dict[str, Any] | None = function.get("versions", {}).get(version)
        if published is None:
            raise ValueError(f"The function {name} has no version {version!r}.")
        return published

    def has_any(self, config: Mapping[str, Any]) -> bool:
        """Return whether a function version has a process."""
        with self._runtime["_lock"]:
            return bool(self._runtime["_workers"].get(self._key(config)))

    def start(self, config: dict[str, Any], package: bytes) -> Any | StartFailure:
        """Start a process that isn't in use yet, and return its worker or why it can't start."""
        worker = self._runtime["_worker_class_for"](config)(config["FunctionName"], config, package)
        try:
            self._service["_run_with_function_config_scope"](config, _spawn, worker)
        except Exception as error:  # noqa: BLE001 - MiniStack raises RuntimeError and subclasses
            # The patch function_runtime has read the log.
            log = getattr(error, "log", "") or str(worker._drain_stderr())  # noqa: SLF001
            log = "\n".join(log.replace("\r", "\n").splitlines()[-MAX_LOG_LINES:])
            error_type = getattr(error, "error_type", "") or "Runtime.Unknown"
            return StartFailure(error_type, str(error), log)
        return worker

    def discard(self, workers: list[Any]) -> None:
        """Stop processes that aren't in use."""
        self._runtime["kill_workers"](workers)

    def add(self, config: Mapping[str, Any], worker: Any) -> None:
        """Let the next invocation of a function version use a started process."""
        worker.last_used = time.time()
        with self._runtime["_lock"]:
            self._runtime["_workers"].setdefault(self._key(config), []).append(worker)

    def replace(self, config: Mapping[str, Any], worker: Any | None) -> None:
        """Replace the processes of a function version by `worker`.

        Running invocations end in their old process, as they do on AWS.
        """
        with self._runtime["_lock"]:
            old = self._runtime["_workers"].pop(self._key(config), [])
            if worker is not None:
                worker.last_used = time.time()
                self._runtime["_workers"][self._key(config)] = [worker]
            busy = [it for it in old if it.in_use]
        self._runtime["kill_workers"]([it for it in old if it not in busy])
        if busy:
            threading.Thread(target=self._retire, args=(busy,), daemon=True).start()

    def remove(self, config: Mapping[str, Any], worker: Any) -> None:
        """Stop a process that an invocation has chosen and not used yet."""
        with self._runtime["_lock"]:
            entries = self._runtime["_workers"].get(self._key(config), [])
            if worker in entries:
                entries.remove(worker)
        self._runtime["kill_workers"]([worker])

    def _retire(self, workers: list[Any]) -> None:
        while any(it.in_use for it in workers):
            time.sleep(_POLL_S)
        self._runtime["kill_workers"](workers)

    def _key(self, config: Mapping[str, Any]) -> str:
        version = config.get("Version", "$LATEST")
        return str(self._runtime["_worker_key"](config["FunctionName"], config, version))


def _spawn(worker: Any) -> None:
    with worker._lock:  # noqa: SLF001 - MiniStack's ensure_spawned has no time limit
        worker._spawn(MAX_INIT_S)  # noqa: SLF001
        worker._cold = False  # noqa: SLF001
