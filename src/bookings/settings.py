"""Environment variables as a typed model, parsed once per process."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from bookings.errors import SettingsError

_NAMES: Final = (
    *("APPOINTMENTS_TABLE", "AWS_REGION", "USER_POOL_ID", "ACCOUNTS_TABLE"),
    *("HOME_REGION", "BOOKINGS_FUNCTION"),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """The function's environment."""

    table: str
    region: str
    user_pool_id: str
    accounts_table: str
    #: The home until it moves; it keeps the accounts and the user pool.
    first_home: str
    #: The function's name, which is the same in every Region.
    function: str


def parse(environment: Mapping[str, str]) -> Settings:
    """Return the settings from environment variables.

    Raises:
        SettingsError: A variable is missing.
    """
    for name in _NAMES:
        if not environment.get(name):
            raise SettingsError(f"The environment variable {name} is missing.")
    return Settings(*(environment[name] for name in _NAMES))


@cache
def settings() -> Settings:
    """Return the process's settings.

    Raises:
        SettingsError: A variable is missing.
    """
    return parse(os.environ)
