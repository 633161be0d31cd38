"""The process's operations and clients, made once."""

import random
import time
from functools import cache
from typing import Any, Final

from bookings.appointments_table import AppointmentsTable
from bookings.forwarding import Forwarder
from bookings.home_table import HomeTable
from bookings.outbox import Outbox
from bookings.service import Bookings
from bookings.settings import settings
from bookings.waiting_notices import WaitingNotices

#: Before the second attempt, in seconds; twice the time before each further one.
_PAUSE_S: Final = 0.02
#: (seconds to connect, seconds to read, attempts) of a client.
_TABLE: Final = (2, 5, 3)
#: Reading the record must leave time to ask the home, within the API's timeout of 13 seconds.
_RECORD: Final = (1, 1, 2)
_HOME: Final = (2, 6, 1)


@cache
def bookings() -> Bookings:
    """Return the process's operations.

    Raises:
        SettingsError: An environment variable is missing.
    """
    table = AppointmentsTable(
        _session().client("dynamodb", region_name=settings().region, config=_config(*_TABLE)),
        settings().table,
        home(),
        outbox(),
    )
    return Bookings(table, _clock_ms, _pause)


@cache
def home() -> HomeTable:
    """Return the record of the home in this Region.

    Raises:
        SettingsError: An environment variable is missing.
    """
    dynamodb = _session().client(
        "dynamodb", region_name=settings().region, config=_config(*_RECORD)
    )
    return HomeTable(
        dynamodb, settings().table, settings().region, settings().first_home, _clock_ms
    )


@cache
def forwarder() -> Forwarder:
    """Return the adapter that asks the home's function.

    Raises:
        SettingsError: An environment variable is missing.
    """
    return Forwarder(
        lambda region: _session().client("lambda", region_name=region, config=_config(*_HOME)),
        settings().function,
    )


def outbox() -> Outbox:
    """Return the outbox, which waits in the appointments table if the accounts are elsewhere."""
    if settings().region == settings().first_home:
        return Outbox(settings().accounts_table, settings().region)
    return Outbox(settings().table, settings().region, is_waiting=True)


@cache
def waiting_notices() -> WaitingNotices:
    """Return the notices that wait in this Region.

    Raises:
        SettingsError: An environment variable is missing.
    """
    return WaitingNotices(
        _session().client("dynamodb", region_name=settings().region, config=_config(*_TABLE)),
        settings().table,
        _session().client("dynamodb", region_name=settings().first_home, config=_config(*_HOME)),
        settings().accounts_table,
        settings().first_home,
    )


@cache
def cognito() -> Any:
    """Return a client of the user pool's Region.

    Raises:
        SettingsError: An environment variable is missing.
    """
    return _session().client(
        "cognito-idp", region_name=settings().first_home, config=_config(*_TABLE)
    )


@cache
def _session() -> Any:
    import boto3

    return boto3.Session()


def _config(connect_s: int, read_s: int, attempts: int) -> Any:
    from botocore.config import Config

    return Config(
        connect_timeout=connect_s,
        read_timeout=read_s,
        retries={"mode": "standard", "max_attempts": attempts},
    )


def _clock_ms() -> int:
    return time.time_ns() // 1_000_000


def _pause(attempt: int) -> None:
    # Full jitter, so that two students who collided don't collide again.
    time.sleep(random.uniform(0, _PAUSE_S * 2**attempt))  # noqa: S311 - no secret
