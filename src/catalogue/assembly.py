"""Build the router of a process from its settings."""

import secrets
import time
from typing import Any

from catalogue.cache import Cache, cluster_client, iam_token, plain_client
from catalogue.changes import Changes
from catalogue.courses import Courses
from catalogue.database import Database, connector, iam_password
from catalogue.router import Router
from catalogue.settings import Address, Settings
from catalogue.staff_tokens import StaffTokens


def build(settings: Settings) -> Router:
    """Return a router with its own connections: one to each database, and the cache's."""
    reader = database(settings, settings.reader, settings.user, is_writer=False)
    writer = database(settings, settings.writer, settings.user, is_writer=True)
    cache = Cache(_client(settings))
    courses = Courses(reader, writer, cache, time.time, _chance)
    verifiers: list[StaffTokens] = []

    def tokens() -> StaffTokens:
        # Readers never need the keys, so their cold start doesn't parse them.
        if not verifiers:
            verifiers.append(
                StaffTokens(settings.issuer, settings.clients, settings.keys, time.time)
            )
        return verifiers[0]

    return Router(
        courses,
        Changes(writer, cache),
        tokens,
        settings.region,
        checks_database=settings.health == "database",
    )


def database(settings: Settings, address: Address, user: str, *, is_writer: bool) -> Database:
    """Return the adapter of a server."""

    def password() -> str:
        if settings.authentication != "iam":
            return ""
        return iam_password(address, user, settings.region)

    return Database(connector(address, settings.database, user, password), is_writer=is_writer)


def _client(settings: Settings) -> Any:
    address = settings.cache
    if address is None:
        return None
    if settings.cache_mode == "plain":
        return lambda: plain_client(address)
    user, name = settings.cache_user, settings.cache_name
    return lambda: cluster_client(address, user, lambda: iam_token(name, user, settings.region))


def _chance() -> float:
    return secrets.randbelow(1_000_001) / 1_000_000
