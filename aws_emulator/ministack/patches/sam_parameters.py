"""Pass parameter values to the SAM transform.

Gap: MiniStack calls the SAM translator without parameter values, so in properties that SAM reads
during the translation (AutoPublishAlias, DeploymentPreference, CodeUri) a `!Ref` resolves to the
parameter's default at best.
Seen in: ministack 1.5.33, cloudformation/engine.py, _apply_transforms.
Delete when: _apply_transforms passes the operation's parameter values to the translator.

The patch also keeps translations: a deployment translates each template two or three times, for its
change set and for its execution, and a repeated deployment mostly the same templates.
"""

import copy
import functools
import json
import logging
import os
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

_CLOUDFORMATION: Final = "ministack.services.cloudformation"
#: The templates of several deployments of a project with 20 stacks.
_MAX_TRANSLATIONS: Final = 256
#: Translations of a template with different values.
_MAX_VALUES: Final = 4
_REGION: Final = "AWS_DEFAULT_REGION"
_ALWAYS_DEPLOY: Final = '"AlwaysDeploy": true'
#: Stands for a reading of all values. No parameter has this name.
_ALL: Final = "*"
#: The names of the values that the current translation has read.
_read: ContextVar[set[str] | None] = ContextVar("sam_parameter_reads", default=None)
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
    prepare_values()


def keep_translations(transform: Callable[..., Any]) -> Callable[..., Any]:
    """Let a transform translate a template once for the values that it reads, in each Region.

    Most values, such as the ARNs that another nested stack has, stay references, so the next
    deployment has the same translation. `transform` takes a template, parameter values and a loader
    of managed policies, which must always be the same, and reads the Region from the environment.
    It reads values as `recorded` returns them. A failure isn't kept.
    """
    translations: OrderedDict[tuple[str | None, str], list[tuple[dict[str, str | None], str]]]
    translations = OrderedDict()

    def call(template: Any, values: dict[str, Any], managed_policies: Any) -> Any:
        key = os.environ.get(_REGION), json.dumps(template)
        texts = {name: json.dumps(value) for name, value in values.items()}
        texts[_ALL] = json.dumps(values)
        for read, translated in translations.get(key, ()):
            if all(texts.get(name) == text for name, text in read.items()):
                translations.move_to_end(key)
                return json.loads(translated)
        # Each change of the stack is to deploy the API, also one of a value that isn't read.
        names: set[str] = {_ALL} if _ALWAYS_DEPLOY in key[1] else set()
        token = _read.set(names)
        try:
            translated = json.dumps(transform(copy.deepcopy(template), values, managed_policies))
        finally:
            _read.reset(token)
        read = {name: texts.get(name) for name in sorted(names)}
        entries = translations.setdefault(key, [])
        entries.insert(0, (read, translated))
        del entries[_MAX_VALUES:]
        if len(translations) > _MAX_TRANSLATIONS:
            translations.popitem(last=False)
        return json.loads(translated)

    return call


class RecordedValues(dict[str, Any]):
    """Values that remember in `names` which of them were read."""

    def __init__(self, values: Mapping[str, Any], names: set[str]) -> None:
        """Take the values."""
        super().__init__(values)
        self._names = names

    def __getitem__(self, name: str) -> Any:
        """Return a value."""
        self._names.add(name)
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        """Return whether there is such a value."""
        self._names.add(str(name))
        return super().__contains__(name)

    def get(self, name: str, default: Any = None) -> Any:
        """Return a value, or the default."""
        self._names.add(name)
        return super().get(name, default)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        self._names.add(_ALL)
        return super().__iter__()

    def keys(self) -> Any:
        """Return all names."""
        self._names.add(_ALL)
        return super().keys()

    def values(self) -> Any:
        """Return all values."""
        self._names.add(_ALL)
        return super().values()

    def items(self) -> Any:
        """Return all names and values."""
        self._names.add(_ALL)
        return super().items()


def recorded(values: dict[str, Any]) -> dict[str, Any]:
    """Return values that let `keep_translations` know which of them a translation reads."""
    names = _read.get()
    return values if names is None else RecordedValues(values, names)


def prepare_values() -> None:
    """Record which values are read, and share a session of each Region.

    The translator only reads the session's Region. It takes half of a translation to create one.
    """
    parameter = Symbols("samtranslator.sdk.parameter", "SamParameterValues", "boto3")
    session_of = functools.cache(
        lambda region: parameter["boto3"].session.Session(region_name=region)
    )
    original = parameter["SamParameterValues"].add_pseudo_parameter_values

    def add(self: Any, session: Any = None) -> None:
        original(self, session or session_of(os.environ.get(_REGION)))
        # The last step before the translator reads them.
        self.parameter_values = recorded(self.parameter_values)

    parameter["SamParameterValues"].add_pseudo_parameter_values = add
