"""Environment variables as a typed model, checked once per process."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from catalogue.errors import SettingsError

AUTHENTICATION: Final = ("iam", "trust")
CACHE_MODES: Final = ("cluster-tls-iam", "plain")
#: The health check asks the database, or only the process: a database that pauses stays paused.
HEALTH: Final = ("database", "process")


@dataclass(frozen=True, slots=True)
class Address:
    """A host and its port."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Settings:
    """The function's environment. Without a cache, `cache` is None."""

    reader: Address
    writer: Address
    database: str
    user: str
    authentication: str
    cache: Address | None
    cache_mode: str
    cache_user: str
    cache_name: str
    issuer: str
    clients: tuple[str, ...]
    keys: str
    region: str
    home_region: str
    health: str


def parse(environment: Mapping[str, str]) -> Settings:
    """Return the settings from environment variables.

    Raises:
        SettingsError: A variable is missing or invalid.
    """
    cache_address = environment.get("CATALOGUE_CACHE", "")
    mode = environment.get("CATALOGUE_CACHE_MODE") or "plain"
    authentication = environment.get("CATALOGUE_AUTH") or "iam"
    if authentication not in AUTHENTICATION:
        raise SettingsError(f"CATALOGUE_AUTH must be one of {', '.join(AUTHENTICATION)}.")
    health = environment.get("CATALOGUE_HEALTH") or "database"
    if health not in HEALTH:
        raise SettingsError(f"CATALOGUE_HEALTH must be one of {', '.join(HEALTH)}.")
    if mode not in CACHE_MODES:
        raise SettingsError(f"CATALOGUE_CACHE_MODE must be one of {', '.join(CACHE_MODES)}.")
    return Settings(
        reader=address_of(environment, "CATALOGUE_READER"),
        writer=address_of(environment, "CATALOGUE_WRITER"),
        database=_text(environment, "CATALOGUE_DATABASE"),
        user=_text(environment, "CATALOGUE_USER"),
        authentication=authentication,
        cache=address_of(environment, "CATALOGUE_CACHE") if cache_address else None,
        cache_mode=mode,
        cache_user=environment.get("CATALOGUE_CACHE_USER", ""),
        cache_name=environment.get("CATALOGUE_CACHE_NAME", ""),
        issuer=_text(environment, "STAFF_ISSUER"),
        clients=tuple(filter(None, _text(environment, "STAFF_CLIENTS").split(","))),
        keys=_text(environment, "STAFF_KEYS"),
        region=_text(environment, "AWS_REGION"),
        home_region=_text(environment, "HOME_REGION"),
        health=health,
    )


def _text(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "")
    if not value:
        raise SettingsError(f"The environment variable {name} is missing.")
    return value


def address_of(environment: Mapping[str, str], name: str) -> Address:
    """Return the address in a variable: host:port.

    Raises:
        SettingsError: The variable is missing or has another form.
    """
    host, _, port = _text(environment, name).rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65_536:
        raise SettingsError(f"{name} must be host:port.")
    return Address(host, int(port))


@cache
def settings() -> Settings:
    """Return the process's settings.

    Raises:
        SettingsError: A variable is missing or invalid.
    """
    return parse(os.environ)
