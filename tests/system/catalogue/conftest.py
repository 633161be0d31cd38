"""A primary, a streaming replica and a cache, real ones, for the tests of this folder."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pg8000.native
import pytest

from aws_emulator.processes import free_port
from catalogue.assembly import build
from catalogue.migration import load, migrate
from catalogue.router import Router
from catalogue.settings import Address, Settings, parse
from tests.support.waiting import wait_until
from tests.system.catalogue.two_regions import require_servers
from tests.unit.catalogue.test_router import ENVIRONMENT, Tokens
from tools.regional.postgres import DATABASE, OWNER, Postgres
from tools.regional.valkey import Valkey


@dataclass
class Tier:
    """The home Region's primary and cache, and another Region's replica and cache."""

    primary: Postgres
    replica: Postgres
    home_cache: Valkey
    away_cache: Valkey
    routers: list[Router] = field(default_factory=list)

    def settings(self, *, is_home: bool) -> Settings:
        reader = self.primary if is_home else self.replica
        cache = self.home_cache if is_home else self.away_cache
        return parse(
            ENVIRONMENT
            | {
                "CATALOGUE_AUTH": "trust",
                "CATALOGUE_READER": reader.address,
                "CATALOGUE_WRITER": self.primary.address,
                "CATALOGUE_CACHE": cache.address,
                "AWS_REGION": "us-east-1" if is_home else "eu-west-2",
            }
        )

    def router(self, *, is_home: bool, **changes: Any) -> Router:
        router = build(replace(self.settings(is_home=is_home), **changes))
        router._tokens = Tokens
        router._log = lambda _line: None
        self.routers.append(router)
        return router

    def caught_up(self) -> bool:
        number = "SELECT number FROM generation"
        return self.replica.sql(number) == self.primary.sql(number)


def connect(server: Postgres, user: str = OWNER, database: str = DATABASE) -> Any:
    address = Address("127.0.0.1", server.port)
    return pg8000.native.Connection(
        user, host=address.host, port=address.port, database=database, timeout=60
    )


def seed(server: Postgres) -> None:
    server.sql(f"CREATE DATABASE {DATABASE}", database="postgres")
    connection = connect(server)
    assert migrate(connection, load()) == [it.name for it in load()]
    connection.close()
    server.sql(
        "INSERT INTO subjects VALUES ('maths', 'Mathematics'), ('music', 'Music');"
        "INSERT INTO teachers VALUES ('noether', 'Emmy Noether'), ('ngo', 'Ngô Bảo Châu');"
        "INSERT INTO courses (id, language, subject, teacher, title, summary) VALUES"
        " ('algebra-1', 'en', 'maths', 'noether', 'Algebra for beginners', 'Groups and rings'),"
        " ('algebra-2', 'en', 'maths', 'noether', 'Running with rings', 'More algebra'),"
        " ('toan-1', 'vi', 'maths', 'ngo', 'Toán cao cấp', 'Đại số tuyến tính'),"
        " ('ganit-1', 'hi', 'maths', 'ngo', 'गणित के मूल सिद्धांत', 'ज्यामिति और बीजगणित'),"
        " ('piano-1', 'en', 'music', 'noether', 'Piano', 'Scales');"
        "INSERT INTO prices VALUES ('algebra-1', 'GBP', 12000);"
        "INSERT INTO terms VALUES ('algebra-1', 'Autumn', '2026-09-01', '2026-12-18');"
    )


@pytest.fixture(scope="session")
def tier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tier]:
    require_servers()
    folder: Path = tmp_path_factory.mktemp("tier")
    primary = Postgres(folder / "primary", free_port())
    replica = Postgres(folder / "replica", free_port())
    caches = Valkey(free_port()), Valkey(free_port())
    try:
        primary.create()
        primary.start()
        seed(primary)
        replica.follow(primary, "replica")
        replica.start()
        for cache in caches:
            cache.start()
        servers = Tier(primary, replica, *caches)
        wait_until(servers.caught_up, "the replica's rows")
        yield servers
    finally:
        for cache in caches:
            cache.stop()
        replica.remove()
        primary.remove()


@pytest.fixture
def closed_connections(tier: Tier) -> Iterator[None]:
    yield
    while tier.routers:
        tier.routers.pop().close()


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])
