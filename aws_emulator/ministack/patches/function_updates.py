"""Run new invocations with the current configuration, and let running ones end.

Gap: an invocation that waits for a process starts one with the configuration from before its wait,
and later invocations use that process, too: they see the old environment for good. An update ends
the processes of running invocations, which fail.
Seen in: ministack 1.5.33, lambda_svc.py, _invoke (copies the configuration), invalidate_worker.
Delete when: a process starts with the current configuration, and an update ends only idle ones.

On AWS, new invocations have the new configuration once LastUpdateStatus is Successful, and running
invocations end in their execution environment (Lambda developer guide, "Lambda function states").
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols
from aws_emulator.ministack.workers import Workers

#: The configuration with which a process starts; MiniStack's _WORKER_AFFECTING, the code, the role.
_START_CONFIGURATION: Final = (
    *("Architectures", "CodeSha256", "Environment", "Handler", "Layers", "MemorySize", "Role"),
    *("Runtime", "Timeout", "VpcConfig"),
)

#: Whether the thread updates a function.
_updates: ContextVar[bool] = ContextVar("updates", default=False)


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Read the configuration when a process is chosen, and retire the processes of an update."""
    service = Symbols(
        "ministack.services.lambda_svc",
        *("_functions", "_update_code", "_update_config", "acquire_worker", "invalidate_worker"),
    )
    runtime = Symbols("ministack.core.lambda_runtime", "_account_region_from_function_config")
    workers = Workers()

    def current(config: dict[str, Any], qualifier: str) -> dict[str, Any] | None:
        """Return the record of a function's version, or None if it was deleted."""
        account, region = runtime["_account_region_from_function_config"](config)
        record = service["_functions"].get_scoped(account, region, config["FunctionName"])
        if record is None or qualifier == "$LATEST":
            return record  # type: ignore[no-any-return]  # MiniStack has no types
        version: dict[str, Any] | None = record.get("versions", {}).get(qualifier)
        return version

    def acquiring(original: Callable[..., Any]) -> Callable[..., Any]:
        def acquire(
            name: str,
            config: dict[str, Any],
            package: bytes,
            qualifier: str = "$LATEST",
            **options: Any,
        ) -> tuple[Any, str]:
            while True:
                record = current(config, qualifier)
                if record is not None:
                    # The ARN has the qualifier of the request.
                    config = {**record["config"], "FunctionArn": config["FunctionArn"]}
                    package = record["code_zip"]
                worker, reason = original(name, config, package, qualifier=qualifier, **options)
                latest = current(config, qualifier)
                if worker is None or latest is None or _is_current(worker.config, latest["config"]):
                    return worker, reason
                # An update came between the two reads, and found no process to end.
                workers.remove(config, worker)

        return acquire

    def invalidating(original: Callable[..., None]) -> Callable[..., None]:
        def invalidate(name: str, qualifier: str | None = None, **scope: Any) -> None:
            record = service["_functions"].get(name)
            if _updates.get() and record is not None:
                workers.replace(record["config"], None)
            else:
                original(name, qualifier=qualifier, **scope)

        return invalidate

    service.wrap("acquire_worker", acquiring)
    service.wrap("invalidate_worker", invalidating)
    for update in ("_update_code", "_update_config"):
        service.wrap(update, _marked)


def _is_current(started: dict[str, Any], latest: dict[str, Any]) -> bool:
    """Return whether a process that started with a configuration needs no restart."""
    return all(started.get(name) == latest.get(name) for name in _START_CONFIGURATION)


def _marked(original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap an update so that the processes that it ends are retired."""

    def update(*arguments: Any, **options: Any) -> Any:
        token = _updates.set(True)
        try:
            return original(*arguments, **options)
        finally:
            _updates.reset(token)

    return update
