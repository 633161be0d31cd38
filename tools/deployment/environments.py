"""Read an environment of samconfig.toml: its Region, stage and parameters."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from aws_emulator.errors import CommandError
from tools.paths import ROOT
from tools.stack import DEFAULT_HOME_REGION, EDGE_REGION, stack_name
from tools.template_yaml import yaml_parse

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
    #: The environment of samconfig.toml with the settings, if it has another name.
    settings_of: str = ""

    @property
    def settings(self) -> str:
        """The environment of samconfig.toml with the settings of `sam deploy`."""
        return self.settings_of or self.name

    @property
    def home_region(self) -> str:
        """The Region of the stage's data and users."""
        return self.parameter("HomeRegion") or DEFAULT_HOME_REGION

    @property
    def is_home(self) -> bool:
        """Whether the environment is in the home Region."""
        return self.region == self.home_region

    @property
    def is_edge(self) -> bool:
        """Whether the environment is in the Region of the distribution."""
        return self.region == EDGE_REGION

    @property
    def is_serving(self) -> bool:
        """Whether the environment has an event stream and an API (template.yaml, IsServing)."""
        return self.is_home or not self.is_edge

    @property
    def replica_regions(self) -> list[str]:
        """The further Regions of the stage, of which the home's tables have replicas."""
        return [it for it in self.parameter("ReplicaRegions").split(",") if it]

    def parameter(self, name: str) -> str:
        """Return the value of a template parameter; '' if the template has no default."""
        return self.overrides.get(name, self.defaults.get(name, ""))


@dataclass(frozen=True)
class Layout:
    """The environments of a stage by their task. A home in us-east-1 is also the edge."""

    home: Environment
    edge: Environment
    #: Further Regions with an event stream and an API.
    others: tuple[Environment, ...] = ()

    def mark_region_of(self, region: str) -> str:
        """Return the Region whose table says whether a Region is evacuated.

        Of several further Regions, each has the mark of the one before it, so that the loss of the
        home or of one Region leaves the others free to be evacuated. The only further Region has
        the mark of the home, and the home its own.
        """
        further = [it.region for it in self.others]
        if region == self.home.region:
            # As template.yaml: the first one of the parameter.
            return next(iter((*self.home.replica_regions, *further)), region)
        if region not in further or len(further) == 1:
            return self.home.region
        return further[(further.index(region) + 1) % len(further)]

    def without(self, region: str) -> "Layout":
        """Return the layout without a further Region."""
        return replace(self, others=tuple(it for it in self.others if it.region != region))

    def in_order(self) -> list[Environment]:
        """Return the environments in the order of a deployment: home, further Regions, edge.

        The edge needs values of the home, and the collector needs streams with a consumer.
        """
        edge = () if self.edge == self.home else (self.edge,)
        return [self.home, *self.others, *edge]


def read_environment(name: str, config: Path = _CONFIG) -> Environment:
    """Read an environment of samconfig.toml and the defaults of template.yaml.

    `<stage>-<Region>` is a Region in ReplicaRegions of the stage's home without an own environment.

    Raises:
        CommandError: The environment doesn't exist or has no Stage.
    """
    environments = _environments(config)
    if name not in environments:
        for further in _further_environments(name.partition("-")[0], config):
            if further.name == name:
                return further
        raise CommandError(
            f"samconfig.toml has no environment {name!r}. Use one of: {', '.join(environments)}. "
            f"Or a stage: {', '.join(_stages(environments))}."
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


def layout_of(environment: Environment, config: Path = _CONFIG) -> Layout:
    """Return the environments of an environment's stage by their task.

    A Region without an environment in samconfig.toml has a stack with the usual name. The further
    Regions are those with an environment, then the others in ReplicaRegions of the home.

    Raises:
        CommandError: The environments of the stage name several home Regions.
    """
    siblings = environments_of_stage(environment.stage, config)
    homes = sorted({it.home_region for it in (*siblings, environment)})
    if len(homes) > 1:
        raise CommandError(
            f"The environments of the stage {environment.stage} in samconfig.toml have several "
            f"home Regions: {', '.join(homes)}. Set the same HomeRegion in the parameter_overrides "
            "of each."
        )
    return Layout(
        _environment_in(environment.home_region, environment, siblings),
        _environment_in(EDGE_REGION, environment, siblings),
        (
            *(it for it in siblings if it.is_serving and not it.is_home),
            *_further_environments(environment.stage, config),
        ),
    )


def layout_of_regions(
    stage: str, regions: Sequence[str], names: Mapping[str, str] | None = None
) -> Layout:
    """Return the environments of a local system; the first of `regions` is the home.

    `names` are the parameters Domain and HostedZoneId, if the system has a domain.
    """

    def environment(region: str) -> Environment:
        overrides = {"Stage": stage, "HomeRegion": regions[0], **(names or {})}
        if region == regions[0] and regions[1:]:
            overrides["ReplicaRegions"] = ",".join(regions[1:])
        return Environment("local", region, stage, stack_name(stage, region), overrides)

    return Layout(
        environment(regions[0]), environment(EDGE_REGION), tuple(map(environment, regions[1:]))
    )


def _further_environments(stage: str, config: Path) -> list[Environment]:
    """Return environments for the Regions in ReplicaRegions of a home that have no own one."""
    siblings = environments_of_stage(stage, config)
    known = {it.region for it in siblings}
    return [
        replace(
            home,
            name=f"{stage}-{region}",
            region=region,
            stack_name=stack_name(stage, region),
            settings_of=home.name,
        )
        for home in siblings
        if home.is_home
        for region in home.replica_regions
        if region not in known
    ]


def home_region_of(stage: str | None, config: Path = _CONFIG) -> str:
    """Return the home Region of a stage in samconfig.toml, or the template's default."""
    siblings = environments_of_stage(stage, config) if stage else []
    return siblings[0].home_region if siblings else DEFAULT_HOME_REGION


def read_environments(name: str, config: Path = _CONFIG) -> list[Environment]:
    """Return an environment, or the environments of a stage in the order of a deployment.

    Raises:
        CommandError: No environment and no stage has the name, or the stage has several homes.
    """
    siblings = environments_of_stage(name, config)
    if name in _environments(config) or not siblings:
        return [read_environment(name, config)]
    layout = layout_of(siblings[0], config)
    return [it for it in layout.in_order() if it in siblings or it in layout.others]


def _environment_in(
    region: str, environment: Environment, siblings: Sequence[Environment]
) -> Environment:
    for candidate in (environment, *siblings):
        if candidate.region == region:
            return candidate
    name = stack_name(environment.stage, region)
    return replace(environment, name=name, region=region, stack_name=name)


def template_defaults(template: Path = _TEMPLATE) -> dict[str, str]:
    """Return the default of each template parameter that has one."""
    document = yaml_parse(template.read_text())
    return {
        name: str(it["Default"]) for name, it in document["Parameters"].items() if "Default" in it
    }


def _stages(environments: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the stages of environments, without repetitions."""
    pairs = (
        it.partition("=")
        for parameters in environments.values()
        for it in parameters.get("parameter_overrides", [])
    )
    return sorted({value for name, _, value in pairs if name == "Stage"})


def _environments(config: Path) -> dict[str, dict[str, Any]]:
    document = tomllib.loads(config.read_text())
    return {
        name: it["deploy"]["parameters"]
        for name, it in document.items()
        if isinstance(it, dict) and "deploy" in it
    }
