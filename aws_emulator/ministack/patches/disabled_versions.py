"""Throttle the versions and aliases of a function whose reserved concurrency is 0.

Gap: a reservation applies to $LATEST only, because the record of a version has none.
Seen in: ministack 1.5.33, lambda_svc.py, _reserved_concurrency.
Delete when: the invocation of an alias is throttled by the function's reservation of 0. (Greater
reservations still don't limit versions.)
"""

from collections.abc import Callable
from typing import Any

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

type Reserved = Callable[[dict[str, Any], dict[str, Any]], int | None]


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Read the reservation of the function also for its versions."""
    service = Symbols("ministack.services.lambda_svc", "_reserved_concurrency", "_functions")

    def wrapper(original: Reserved) -> Reserved:
        def reserved_concurrency(record: dict[str, Any], config: dict[str, Any]) -> int | None:
            # "To stop a function from processing any events, set the reserved concurrency to zero"
            # (AWS Lambda Developer Guide, "Configuring reserved concurrency for a function").
            function = service["_functions"].get(config.get("FunctionName")) or record
            return 0 if original(function, config) == 0 else original(record, config)

        return reserved_concurrency

    service.wrap("_reserved_concurrency", wrapper)
