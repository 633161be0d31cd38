"""Environment variables as a typed model, parsed once per process."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache

from office.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Settings:
    """The function's environment. Each field is the variable of the same name in capitals."""

    office_table: str
    accounts_table: str
    appointments_table: str
    revocations_function: str
    identity_function: str
    parked_queue_url: str
    feedback_queue_url: str
    feedback_regions: str
    account_machine: str
    rosters_bucket: str
    user_pool_id: str
    aws_region: str


def parse(environment: Mapping[str, str]) -> Settings:
    """Return the settings from environment variables.

    Raises:
        SettingsError: A variable is missing.
    """
    values = {}
    for field in fields(Settings):
        values[field.name] = environment.get(field.name.upper(), "")
        if not values[field.name]:
            raise SettingsError(f"The environment variable {field.name.upper()} is missing.")
    return Settings(**values)


@cache
def settings() -> Settings:
    """Return the process's settings.

    Raises:
        SettingsError: A variable is missing.
    """
    return parse(os.environ)
