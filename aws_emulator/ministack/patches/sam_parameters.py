"""Pass parameter values to the SAM transform.

Gap: MiniStack calls the SAM translator without parameter values, so in properties that SAM reads
during the translation (AutoPublishAlias, DeploymentPreference, CodeUri) a `!Ref` resolves to the
parameter's default at best.
Seen in: ministack 1.5.33, cloudformation/engine.py, _apply_transforms.
Delete when: _apply_transforms passes the operation's parameter values to the translator.
"""

import logging
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

_CLOUDFORMATION: Final = "ministack.services.cloudformation"
_values: ContextVar[dict[str, Any] | None] = ContextVar("sam_parameter_values", default=None)


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Pass the parameter values wherever a template is transformed."""
    engine = Symbols(f"{_CLOUDFORMATION}.engine", "_apply_transforms", "_transform_parameters")
    translator = Symbols("samtranslator.translator.transform", "transform")
    original = engine["_apply_transforms"]
    # The translator warns at each translation about usage metrics that it does not publish.
    logging.getLogger("samtranslator.metrics.metrics").setLevel(logging.ERROR)

    def apply_transforms(
        template: dict[str, Any], provided_params: Any = None, previous_params: Any = None
    ) -> Any:
        values = engine["_transform_parameters"](template, provided_params, previous_params)
        token = _values.set(values)
        try:
            return original(template, provided_params, previous_params)
        finally:
            _values.reset(token)

    def with_values(transform: Callable[..., Any]) -> Callable[..., Any]:
        def call(template: Any, parameters: dict[str, Any], loader: Any) -> Any:
            return transform(template, {**parameters, **(_values.get() or {})}, loader)

        return call

    # These modules have imported the original function.
    engine["_apply_transforms"] = apply_transforms
    for module in ("handlers", "changesets"):
        Symbols(f"{_CLOUDFORMATION}.{module}", "_apply_transforms")["_apply_transforms"] = (
            apply_transforms
        )
    translator.wrap("transform", with_values)
