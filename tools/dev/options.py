"""Options of the local commands, from the variables that `make` exports."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import boto3

from aws_emulator.errors import CommandError
from tools.dev.system import Ports
from tools.stack import DEFAULT_HOME_REGION, EDGE_REGION

#: Further Regions of a stage, at most (template.yaml, ReplicaRegions).
MAX_FURTHER_REGIONS: Final = 4
DEFAULT_CLIENTS: Final = 8
MAX_CLIENTS: Final = 64
#: The pattern of the parameter Domain (template.yaml).
_DOMAIN: Final = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")


@dataclass(frozen=True)
class Options:
    """LOG, PORT, EMULATOR_PORT, CLIENTS, HOME_REGION, REGIONS, DOMAIN, SEED, KEEP and CATALOGUE.

    None is the command's default. The first of `regions` is the home Region.
    """

    log: str | None
    edge_port: int | None
    emulator_port: int | None
    clients: int
    regions: tuple[str, ...]
    seed: int | None = None
    keep: bool = False
    domain: str = ""
    catalogue: bool = True

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Options":
        """Read the options from environment variables.

        Raises:
            CommandError: An option is invalid.
        """
        return cls(
            log=environment.get("LOG") or None,
            edge_port=_number(environment, "PORT", 0, 65535),
            emulator_port=_number(environment, "EMULATOR_PORT", 0, 65535),
            clients=_number(environment, "CLIENTS", 1, MAX_CLIENTS) or DEFAULT_CLIENTS,
            regions=_regions(environment),
            seed=_number(environment, "SEED", 0, 2**31 - 1),
            keep=environment.get("KEEP", "") not in ("", "0"),
            domain=_domain(environment),
            catalogue=environment.get("CATALOGUE", "") != "0",
        )

    def ports(self, edge: int = 0, emulator: int = 0) -> Ports:
        """Return the ports, with these defaults; 0 means any free port."""
        return Ports(
            emulator=emulator if self.emulator_port is None else self.emulator_port,
            edge=edge if self.edge_port is None else self.edge_port,
        )


def _number(environment: Mapping[str, str], name: str, minimum: int, maximum: int) -> int | None:
    text = environment.get(name)
    if not text:
        return None
    if not text.isdecimal() or not minimum <= int(text) <= maximum:
        raise CommandError(f"{name} must be a number from {minimum} to {maximum}, not {text!r}.")
    return int(text)


def _domain(environment: Mapping[str, str]) -> str:
    name = environment.get("DOMAIN", "").strip().lower()
    if name and not _DOMAIN.fullmatch(name):
        raise CommandError(f"DOMAIN must be a name such as school.example, not {name!r}.")
    return name


def _regions(environment: Mapping[str, str]) -> tuple[str, ...]:
    names = [name.strip() for name in environment.get("REGIONS", "").split(",") if name.strip()]
    home = environment.get("HOME_REGION") or DEFAULT_HOME_REGION
    require_regions("HOME_REGION", [home])
    return (home, *further_regions(home, names))


def require_regions(option: str, names: Sequence[str]) -> None:
    """Check that AWS has the Regions.

    Raises:
        CommandError: AWS has no Region of a name.
    """
    known = boto3.Session().get_available_regions("kinesis")
    unknown = ", ".join(it for it in names if it not in known)
    if unknown:
        raise CommandError(
            f"{option} has {unknown}, which AWS doesn't have. Use names such as eu-west-2."
        )


def further_regions(home: str, names: Sequence[str]) -> list[str]:
    """Return the Regions besides the home, each once.

    Raises:
        CommandError: A Region can't be one of the stage, or there are too many.
    """
    require_regions("REGIONS", names)
    if EDGE_REGION in names and home != EDGE_REGION:
        raise CommandError(
            f"REGIONS contains {EDGE_REGION}, which has only the edge if the home is {home}. "
            "Set REGIONS without it."
        )
    further = [it for it in dict.fromkeys(names) if it != home]
    if len(further) > MAX_FURTHER_REGIONS:
        raise CommandError(
            f"REGIONS has {len(further)} Regions besides the home, and a stage has at most "
            f"{MAX_FURTHER_REGIONS}. Use fewer."
        )
    return further
