"""An alias with weights splits its invocations.

Gap: RoutingConfig of an alias is stored and shown, but every invocation goes to its main version.
Seen in: ministack 1.5.33, lambda_svc.py, _invoke.
Delete when: Invoke honours AdditionalVersionWeights. (Only Invoke is split here: a mapping or a
state machine that names the alias reaches the main version.)
"""

import random
from collections.abc import Callable
from typing import Any

from aws_emulator.ministack.control import Control
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Part


def install(_settings: Settings, _control: Control, _application: Any) -> None:
    """Choose the version by the alias's weights before the invocation."""
    service = Part("ministack.services.lambda_svc", "_invoke", "_functions", "_qp_first")

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
    """The version that a draw from [0, 1) falls on, None for the alias's main version."""
    reached = 0.0
    for version, weight in weights.items():
        reached += float(weight)
        if draw < reached:
            return version
    return None
