"""Parameters reach the SAM transform.

Gap: MiniStack calls the SAM translator with an empty set of parameters, so a property that SAM
needs to know while it translates (AutoPublishAlias, DeploymentPreference, CodeUri) resolves a
`!Ref` to the parameter's default at best.
Seen in: ministack 1.5.33, cloudformation/engine.py, _apply_transforms.
Delete when: _apply_transforms passes the operation's parameter values to the translator.
"""

import logging
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from aws_emulator.ministack.control import Control
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Part

_CLOUDFORMATION = "ministack.services.cloudformation"
_values: ContextVar[dict[str, Any] | None] = ContextVar("sam_parameter_values", default=None)


def install(_settings: Settings, _control: Control, _application: Any) -> None:
    """Pass parameter values on wherever a template is transformed."""
    engine = Part(f"{_CLOUDFORMATION}.engine", "_apply_transforms", "_transform_parameters")
    translator = Part("samtranslator.translator.transform", "transform")
    original = engine["_apply_transforms"]
    # It warns at each translation of usage metrics that it does not publish.
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

    # The handlers bound the function by name when they were imported.
    engine["_apply_transforms"] = apply_transforms
    for module in ("handlers", "changesets"):
        Part(f"{_CLOUDFORMATION}.{module}", "_apply_transforms")["_apply_transforms"] = (
            apply_transforms
        )
    translator.wrap("transform", with_values)
