"""Pass parameter values to the SAM transform.

Gap: MiniStack calls the SAM translator without parameter values, so in properties that SAM reads
during the translation (AutoPublishAlias, DeploymentPreference, CodeUri) a `!Ref` resolves to the
parameter's default at best.
Seen in: ministack 1.5.33, cloudformation/engine.py, _apply_transforms.
Delete when: _apply_transforms passes the operation's parameter values to the translator.

The patch also keeps translations: a deployment translates each template two or three times, for its
change set and for its execution, and a repeated deployment mostly the same templates.
"""

import functools
import json
import logging
import os
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

_CLOUDFORMATION: Final = "ministack.services.cloudformation"
#: The templates of several deployments of a project with 20 stacks.
_MAX_TRANSLATIONS: Final = 256
_REGION: Final = "AWS_DEFAULT_REGION"
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
        translate = keep_translations(transform)

        def call(template: Any, parameters: dict[str, Any], loader: Any) -> Any:
            return translate(template, {**parameters, **(_values.get() or {})}, loader)

        return call

    # These modules have imported the original function.
    engine["_apply_transforms"] = apply_transforms
    for module in ("handlers", "changesets"):
        Symbols(f"{_CLOUDFORMATION}.{module}", "_apply_transforms")["_apply_transforms"] = (
            apply_transforms
        )
    translator.wrap("transform", with_values)
    _share_session()


def keep_translations(transform: Callable[..., Any]) -> Callable[..., Any]:
    """Let a transform translate equal templates with equal parameter values once for each Region.

    `transform` takes a template, parameter values and a loader of managed policies, which must
    always be the same, and reads the Region from the environment. A failure isn't kept.
    """
    loader: Any = None

    @functools.lru_cache(_MAX_TRANSLATIONS)
    def translate(_region: str | None, template: str, values: str) -> str:
        return json.dumps(transform(json.loads(template), json.loads(values), loader))

    def call(template: Any, values: dict[str, Any], managed_policies: Any) -> Any:
        nonlocal loader
        loader = managed_policies
        arguments = json.dumps(template), json.dumps(values)
        return json.loads(translate(os.environ.get(_REGION), *arguments))

    return call


def _share_session() -> None:
    """Let the translator, which only reads the session's Region, share a session for each Region.

    It takes half of a translation to create one.
    """
    parameter = Symbols("samtranslator.sdk.parameter", "SamParameterValues", "boto3")
    session_of = functools.cache(
        lambda region: parameter["boto3"].session.Session(region_name=region)
    )
    original = parameter["SamParameterValues"].add_pseudo_parameter_values

    def add(self: Any, session: Any = None) -> None:
        original(self, session or session_of(os.environ.get(_REGION)))

    parameter["SamParameterValues"].add_pseudo_parameter_values = add
