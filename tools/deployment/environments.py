"""Read an environment of samconfig.toml: its Region, stage and parameters."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from samtranslator.yaml_helper import yaml_parse

from aws_emulator.errors import CommandError
from tools.paths import ROOT
from tools.stack import HOME_REGION

_CONFIG: Final = ROOT / "samconfig.toml"
_TEMPLATE: Final = ROOT / "template.yaml"


@dataclass(frozen=True)
class Environment:
    """A stack that `make deploy` deploys. `overrides` are the values that differ from defaults."""

    name: str
    region: str
    stage: str
    stack_name: str
    overrides: Mapping[str, str]
    defaults: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def is_home(self) -> bool:
        """Whether the environment is in the home Region."""
        return self.region == HOME_REGION

    def parameter(self, name: str) -> str:
        """Return the value of a template parameter; '' if the template has no default."""
        return self.overrides.get(name, self.defaults.get(name, ""))


def read_environment(name: str, config: Path = _CONFIG) -> Environment:
    """Read an environment of samconfig.toml and the defaults of template.yaml.

    Raises:
        CommandError: The environment doesn't exist or has no Stage.
    """
    environments = _environments(config)
    if name not in environments:
        raise CommandError(
            f"samconfig.toml has no environment {name!r}. Use one of: {', '.join(environments)}."
        )
    parameters = environments[name]
    pairs = (it.partition("=") for it in parameters.get("parameter_overrides", []))
    overrides = {key: value for key, _, value in pairs}
    if "Stage" not in overrides:
        raise CommandError(
            f"The environment {name!r} of samconfig.toml has no Stage. Add Stage=<stage> to its "
            "parameter_overrides."
        )
    return Environment(
        name,
        str(parameters["region"]),
        overrides["Stage"],
        str(parameters["stack_name"]),
        overrides,
        template_defaults(),
    )


def environments_of_stage(stage: str, config: Path = _CONFIG) -> list[Environment]:
    """Return the environments of a stage in samconfig.toml, in the order of the file."""
    environments = []
    for name, parameters in _environments(config).items():
        if f"Stage={stage}" in parameters.get("parameter_overrides", []):
            environments.append(read_environment(name, config))
    return environments


def edge_environment(stage: str, config: Path = _CONFIG) -> Environment:
    """Return a stage's environment with the distribution.

    Raises:
        CommandError: There is no such environment in samconfig.toml.
    """
    for environment in environments_of_stage(stage, config):
        if environment.is_home:
            return environment
    raise CommandError(
        f"The stage {stage} has no environment in {HOME_REGION}, where the distribution is. Add "
        "one to samconfig.toml."
    )


def template_defaults(template: Path = _TEMPLATE) -> dict[str, str]:
    """Return the default of each template parameter that has one."""
    document = yaml_parse(template.read_text())
    return {
        name: str(it["Default"]) for name, it in document["Parameters"].items() if "Default" in it
    }


def _environments(config: Path) -> dict[str, dict[str, Any]]:
    document = tomllib.loads(config.read_text())
    return {
        name: it["deploy"]["parameters"]
        for name, it in document.items()
        if isinstance(it, dict) and "deploy" in it
    }
