"""Environment variables as a typed model, parsed once per process."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from stepfunctions.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Settings:
    """The functions' environment. The template sets only the variables that a function uses."""

    region: str
    accounts_table: str = ""
    sent_table: str = ""
    user_pool_id: str = ""
    event_bus_name: str = ""
    sender: str = ""
    configuration_set: str = ""
    portal_url: str = ""
    dead_letter_queue_url: str = ""
    appointments_table: str = ""
    profiles_table: str = ""
    notifications_arn: str = ""
    schedule_prefix: str = ""
    schedule_role_arn: str = ""
    schedule_dead_letters_arn: str = ""
    address_machine: str = ""
    erase_machine: str = ""
    export_machine: str = ""
    office_table: str = ""
    rosters_bucket: str = ""
    function_prefix: str = ""
    erasure_regions: str = ""
    erasure_wait_seconds: str = ""

    def require(self, name: str) -> str:
        """Return a setting.

        Raises:
            SettingsError: The environment has no value for it.
        """
        value: str = getattr(self, name)
        if not value:
            raise SettingsError(f"The environment variable {name.upper()} is missing.")
        return value


def parse(environment: Mapping[str, str]) -> Settings:
    """Return the settings from environment variables.

    Raises:
        SettingsError: AWS_REGION is missing.
    """
    region = environment.get("AWS_REGION", "")
    if not region:
        raise SettingsError("The environment variable AWS_REGION is missing.")
    return Settings(
        region=region,
        accounts_table=environment.get("ACCOUNTS_TABLE", ""),
        sent_table=environment.get("SENT_TABLE", ""),
        user_pool_id=environment.get("USER_POOL_ID", ""),
        event_bus_name=environment.get("EVENT_BUS_NAME", ""),
        sender=environment.get("SENDER", ""),
        configuration_set=environment.get("CONFIGURATION_SET", ""),
        portal_url=environment.get("PORTAL_URL", ""),
        dead_letter_queue_url=environment.get("DEAD_LETTER_QUEUE_URL", ""),
        appointments_table=environment.get("APPOINTMENTS_TABLE", ""),
        profiles_table=environment.get("PROFILES_TABLE", ""),
        notifications_arn=environment.get("NOTIFICATIONS_ARN", ""),
        schedule_prefix=environment.get("SCHEDULE_PREFIX", ""),
        schedule_role_arn=environment.get("SCHEDULE_ROLE_ARN", ""),
        schedule_dead_letters_arn=environment.get("SCHEDULE_DEAD_LETTERS_ARN", ""),
        address_machine=environment.get("ADDRESS_MACHINE", ""),
        erase_machine=environment.get("ERASE_MACHINE", ""),
        export_machine=environment.get("EXPORT_MACHINE", ""),
        office_table=environment.get("OFFICE_TABLE", ""),
        rosters_bucket=environment.get("ROSTERS_BUCKET", ""),
        function_prefix=environment.get("FUNCTION_PREFIX", ""),
        erasure_regions=environment.get("ERASURE_REGIONS", ""),
        erasure_wait_seconds=environment.get("ERASURE_WAIT_SECONDS", ""),
    )


@cache
def settings() -> Settings:
    """Return the process's settings.

    Raises:
        SettingsError: AWS_REGION is missing.
    """
    return parse(os.environ)
