"""Check the parameters of the optional course catalogue, and say what it costs idle."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from tools.deployment.catalogue_price import monthly_line
from tools.deployment.environments import Environment
from tools.deployment.preflight.findings import Finding, error, ok
from tools.deployment.templates import load
from tools.paths import ROOT

_DATABASE: Final = "stacks/catalogue/database.yaml"
_CHECK: Final = "course catalogue"


@dataclass(frozen=True)
class Networks:
    """How many VPCs a Region has and may have (Amazon VPC quotas, "VPCs per Region")."""

    count: int
    quota: int


def check_catalogue(
    environment: Environment,
    deployed: Mapping[str, str] | None,
    networks: Networks | None,
    versions: Collection[str] | None = None,
) -> list[Finding]:
    """Return the findings about an environment with the catalogue.

    Args:
        environment: The environment to deploy.
        deployed: The parameters of its stack; None without a stack.
        networks: The Region's VPCs; None if the catalogue's one exists already.
        versions: Those that the Region offers of the database's engine; None if it exists already.
    """
    findings = [_parameters(environment), _kind_of_database(environment, deployed or {})]
    if networks is not None:
        findings.append(_network(networks, environment.region))
    if versions is not None:
        findings.append(_version(versions, environment.region))
    return [it for it in findings if it is not None] + [ok(_CHECK, _price(environment))]


def _parameters(environment: Environment) -> Finding | None:
    if not environment.parameter("Domain"):
        return error(
            _CHECK,
            "Catalogue=true without Domain: a load balancer's own name has no certificate",
            "Set Domain and HostedZoneId, or Catalogue=false.",
        )
    if environment.parameter("Compute") == "fargate" and not environment.parameter(
        "CatalogueImage"
    ):
        return error(
            _CHECK,
            "Compute=fargate without CatalogueImage, the image of its tasks",
            "Build stacks/catalogue/Dockerfile, push it to Amazon ECR and set CatalogueImage.",
        )
    return None


def _kind_of_database(environment: Environment, deployed: Mapping[str, str]) -> Finding | None:
    wanted = environment.parameter("GlobalDatabase")
    present = deployed.get("GlobalDatabase", wanted)
    if deployed.get("Catalogue") != "true" or wanted == present:
        return None
    return error(
        _CHECK,
        f"GlobalDatabase={wanted}, but the database was created with {present}: a cluster can't "
        "join a global database later, or leave it by a parameter",
        f"Set GlobalDatabase={present}. Another kind needs a new catalogue and a copy of its data.",
    )


def _network(networks: Networks, region: str) -> Finding:
    if networks.count < networks.quota:
        return ok(_CHECK, f"{region} has {networks.count} of {networks.quota} VPCs")
    return error(
        _CHECK,
        f"{region} has {networks.count} VPCs, and the quota is {networks.quota}",
        "Request a higher quota for VPCs per Region, or delete a VPC.",
    )


def engine_and_version() -> tuple[str, str]:
    """Return the engine and the version of the catalogue's database."""
    cluster = load(ROOT / _DATABASE)["Resources"]["Database"]["Properties"]
    return str(cluster["Engine"]), str(cluster["EngineVersion"])


def _version(versions: Collection[str], region: str) -> Finding:
    engine, wanted = engine_and_version()
    if wanted in versions:
        return ok(_CHECK, f"{region} offers {engine} {wanted}")
    major = f"{wanted.partition('.')[0]}."
    others = ", ".join(sorted(it for it in versions if it.startswith(major))) or "none"
    return error(
        _CHECK,
        f"{region} doesn't offer {engine} {wanted} for a new database",
        f"Set EngineVersion in {_DATABASE} to one of its versions: {others}.",
    )


def _price(environment: Environment) -> str:
    return monthly_line(
        readers=int(environment.parameter("Readers") or 1),
        is_global=environment.parameter("GlobalDatabase") == "true",
        has_tasks=environment.parameter("Compute") == "fargate",
    )
