"""Read CloudFormation's YAML with libyaml, ten times as fast as the parser in Python."""

from typing import Any, Final

import yaml
from samtranslator.yaml_helper import intrinsics_multi_constructor

#: Without libyaml, PyYAML has no CSafeLoader.
_BASE: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_BASE):  # type: ignore[misc, valid-type]
    """YAML with CloudFormation's short forms: !Ref x is {"Ref": x}."""


_Loader.add_multi_constructor("!", intrinsics_multi_constructor)


def yaml_parse(text: str) -> Any:
    """Return a document, with intrinsic functions in their long form.

    Raises:
        yaml.YAMLError: The text isn't YAML.
    """
    # The loader extends the safe one.
    return yaml.load(text, Loader=_Loader)  # noqa: S506
