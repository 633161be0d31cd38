"""Split the invocations of an alias by its weights.

Gap: RoutingConfig of an alias is stored and shown, but every invocation goes to its main version.
Seen in: ministack 1.5.33, lambda_svc.py, _invoke.
Delete when: Invoke applies AdditionalVersionWeights. (Only Invoke is split here: event source
mappings and state machines that name the alias invoke the main version.)
"""

import random
from collections.abc import Callable
from typing import Any

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Choose the version by the alias's weights before each invocation."""
    service = Symbols("ministack.services.lambda_svc", "_invoke", "_functions", "_qp_first")

    def split(invoke: Callable[..., Any]) -> Callable[..., Any]:
        async def invoke_alias(
            name: str,
            event: Any,
            headers: dict[str, str],
            path_qualifier: str | None = None,
            query_params: dict[str, Any] | None = None,
        ) -> Any:
            qualifier = path_qualifier or service["_qp_first"](query_params or {}, "Qualifier")
            alias = (service["_functions"].get(name) or {}).get("aliases", {}).get(qualifier)
            weights = ((alias or {}).get("RoutingConfig") or {}).get("AdditionalVersionWeights")
            version = choose(weights or {}, random.random())  # noqa: S311 - splits traffic
            return await invoke(name, event, headers, version or path_qualifier, query_params)

        return invoke_alias

    service.wrap("_invoke", split)


def choose(weights: dict[str, float], draw: float) -> str | None:
    """Return the version for a random number in [0, 1), or None for the main version."""
    reached = 0.0
    for version, weight in weights.items():
        reached += float(weight)
        if draw < reached:
            return version
    return None
