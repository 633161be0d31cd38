"""The environment as a typed model, checked once per process."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from stepfunctions.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Settings:
    """What the template says. A function is given the names that it uses, and no others."""

    region: str
    accounts_table: str = ""
    sent_table: str = ""
    user_pool_id: str = ""
    bus: str = ""
    sender: str = ""
    portal_url: str = ""
    dead_letters: str = ""

    def need(self, name: str) -> str:
        """Return a setting that this function cannot do without. Raises SettingsError."""
        value: str = getattr(self, name)
        if not value:
            raise SettingsError(f"The environment lacks {name.upper()}.")
        return value


def parse(environment: Mapping[str, str]) -> Settings:
    """Read the environment. Raises SettingsError."""
    region = environment.get("AWS_REGION", "")
    if not region:
        raise SettingsError("The environment lacks AWS_REGION.")
    return Settings(
        region=region,
        accounts_table=environment.get("ACCOUNTS_TABLE", ""),
        sent_table=environment.get("SENT_TABLE", ""),
        user_pool_id=environment.get("USER_POOL_ID", ""),
        bus=environment.get("BUS", ""),
        sender=environment.get("SENDER", ""),
        portal_url=environment.get("PORTAL_URL", ""),
        dead_letters=environment.get("DEAD_LETTERS", ""),
    )


@cache
def settings() -> Settings:
    """The settings of this process. Raises SettingsError."""
    return parse(os.environ)
