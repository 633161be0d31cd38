"""Environment variables as a typed model, parsed once per process."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from bookings.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Settings:
    """The function's environment."""

    table: str
    region: str
    user_pool_id: str
    accounts_table: str


def parse(environment: Mapping[str, str]) -> Settings:
    """Return the settings from environment variables.

    Raises:
        SettingsError: A variable is missing.
    """
    for name in ("APPOINTMENTS_TABLE", "AWS_REGION", "USER_POOL_ID", "ACCOUNTS_TABLE"):
        if not environment.get(name):
            raise SettingsError(f"The environment variable {name} is missing.")
    return Settings(
        environment["APPOINTMENTS_TABLE"],
        environment["AWS_REGION"],
        environment["USER_POOL_ID"],
        environment["ACCOUNTS_TABLE"],
    )


@cache
def settings() -> Settings:
    """Return the process's settings.

    Raises:
        SettingsError: A variable is missing.
    """
    return parse(os.environ)
