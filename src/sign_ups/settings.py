"""Environment variables as a typed model, parsed once per process."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from sign_ups.errors import SettingsError

_NAMES: Final = ("AWS_REGION", "HOME_REGION", "ADMIT_MACHINE", "QUEUE_URL")


@dataclass(frozen=True, slots=True)
class Settings:
    """The function's environment."""

    region: str
    #: The Region of the accounts.
    home_region: str
    #: ARN of the home's state machine that stores a request.
    machine: str
    #: This Region's queue of requests that wait for the home.
    queue_url: str


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
