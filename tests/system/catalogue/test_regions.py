"""Two Regions under load: lose the primary's Region, promote the other one, take the lost one back.

A change is acknowledged after each connected replica has it, so a lost Region loses none.
"""

import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import psutil
import pytest
from pg8000.exceptions import InterfaceError

from tests.support.paths import ROOT
from tests.support.waiting import wait_until
from tests.system.catalogue.conftest import connect
from tests.system.catalogue.two_regions import (
    AWAY,
    COMMON,
    HOME,
    Load,
    require_servers,
    running,
    send,
    staff_token,
    stored,
)
from tests.unit.catalogue.test_model import COURSE
from tools.regional import acknowledgement
from tools.regional import tier as regional

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def tier() -> Iterator[regional.Tier]:
    with running("test-catalogue") as started:
        yield started


@pytest.fixture(scope="module")
def token() -> str:
    return staff_token()


def test_region_is_lost_and_returns_and_another_loses_cache_and_database(
    tier: regional.Tier, token: str
) -> None:
    check_encoded_addresses(tier)
    wait_until(lambda: waits_for(tier, HOME) == 1, "commits that wait for the replica")
    check_silent_replica(tier, token)
    check_lost_region(tier, token)
    # The other Region has the primary now.
    check_lost_cache(tier, token)
    check_lost_database(tier)
    check_returned_parts(tier, token)


def has_reply(load: Load, status: int, since: int) -> bool:
    """Return whether a change has got this status since a number of changes."""
    return any(it.reply.status == status for it in load.changes[since:])


def check_lost_region(tier: regional.Tier, token: str) -> None:
    load = Load(tier, token)
    with load.running():
        wait_until(lambda: len(load.acknowledged()) >= 20, "changes")
        wait_until(lambda: all(len(it) >= 20 for it in load.reads.values()), "reads")
        processes = with_busy_statement(tier, HOME)
        tier.lose(HOME)
        wait_until(lambda: not any(map(is_alive, processes)), "the end of all processes")
        reads, refused = len(load.reads[AWAY]), len(load.changes)
        wait_until(lambda: len(load.reads[AWAY]) >= reads + 20, "reads of the other Region")
        # Both writers have the reply of the change that they sent before the loss.
        for status in (503, 0):
            wait_until(partial(has_reply, load, status, refused), f"a reply with status {status}")
        before = load.acknowledged()
        tier.promote(AWAY)
        survivors = stored(tier, AWAY)
        wait_until(lambda: len(load.acknowledged()) >= len(before) + 10, "changes")
        tier.take_back(HOME)
        wait_until(lambda: load.reads[HOME][-1].status == 200, "reads of the lost Region")
        count = len(load.changes)
        wait_until(
            lambda: sum(it.reply.status == 201 for it in load.changes[count:]) >= 10, "changes"
        )
    # The surviving Region answered every read. On a busy computer, a query may be too slow.
    assert {it.status for it in load.reads[AWAY]} <= {200, 503}
    assert {it.headers["X-Region"] for it in load.reads[AWAY]} == {AWAY}
    # A change was stored, refused for now, or its Region was gone.
    assert {it.reply.status for it in load.changes} <= {201, 503, 0}
    refusals = [it.reply for it in load.changes if it.reply.status == 503]
    assert all(it.headers["Retry-After"] in {"5", "30"} for it in refusals)
    assert "changes_unavailable" in {it.document["code"] for it in refusals}
    # No acknowledged change is lost: neither one from before the loss nor a later one.
    assert set(before) - survivors == set()
    later = set(load.acknowledged()) - set(before)
    wait_until(lambda: stored(tier, HOME) == stored(tier, AWAY), "the returned replica's rows")
    assert later <= stored(tier, AWAY)
    assert tier.server(HOME).sql("SELECT pg_is_in_recovery()") == "t"


def with_busy_statement(tier: regional.Tier, region: str) -> list[psutil.Process]:
    """Start a statement that only computes, and return the Region's processes.

    PostgreSQL notices the end of its server when it waits, so such a process goes on alone.
    """
    server = tier.server(region)
    connection = connect(server)
    (pid,) = connection.run("SELECT pg_backend_pid()")[0]
    statement = "SELECT count(*) FROM generate_series(1, 100000000000)"
    threading.Thread(target=partial(outcome_of, connection, statement), daemon=True).start()
    active = f"SELECT count(*) FROM pg_stat_activity WHERE pid = {pid} AND state = 'active'"
    wait_until(lambda: server.sql(active) == "1", "the statement")
    processes = psutil.Process(tier._processes[region].pid).children(recursive=True)
    assert pid in {it.pid for it in processes}
    return processes


def outcome_of(connection: Any, statement: str) -> None:
    with suppress(InterfaceError, OSError):
        connection.run(statement)
    with suppress(InterfaceError, OSError):
        connection.close()


def is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def child(tier: regional.Tier, region: str, program: str) -> psutil.Process:
    """Return the process of a program in a Region's group."""
    group = psutil.Process(tier._processes[region].pid)
    return next(it for it in group.children() if program in it.name())


def waits_for(tier: regional.Tier, region: str) -> int:
    """Return the number of replicas for which the commits of a primary wait."""
    setting = tier.server(region).sql("SHOW synchronous_standby_names")
    return next((it for it in range(3) if setting == acknowledgement.wanted(it)), -1)


def check_silent_replica(tier: regional.Tier, token: str) -> None:
    """A replica that is connected and doesn't answer: the change is stored, not acknowledged."""
    group = psutil.Process(tier._processes[AWAY].pid).children(recursive=True)
    (receiver,) = [it for it in group if "walreceiver" in " ".join(it.cmdline())]
    document = COURSE | COMMON | {"id": f"silent-{uuid.uuid4()}"}
    change = partial(send, tier, HOME, "POST", "/catalogue/staff/courses", token, document)
    key = str(uuid.uuid4())
    receiver.suspend()
    try:
        assert change(key=key).status == 503
    finally:
        receiver.resume()
    # The caller repeats the request, which is applied once.
    wait_until(lambda: change(key=key).status == 201, "the acknowledgement")
    for region in (HOME, AWAY):
        count = f"SELECT count(*) FROM courses WHERE id = '{document['id']}'"
        assert tier.server(region).sql(count) == "1"


def check_lost_cache(tier: regional.Tier, token: str) -> None:
    child(tier, AWAY, "valkey").kill()
    reply = send(tier, AWAY, "GET", "/catalogue/courses?q=piano")
    assert reply.status == 200
    assert [it["id"] for it in reply.document["courses"]] == ["piano-1"]
    document = COURSE | COMMON | {"id": f"course-{uuid.uuid4()}"}
    assert send(tier, AWAY, "POST", "/catalogue/staff/courses", token, document).status == 201


def check_encoded_addresses(tier: regional.Tier) -> None:
    reply = send(tier, AWAY, "GET", "/catalogue/courses?q=To%C3%A1n+cao")
    assert [it["id"] for it in reply.document["courses"]] == ["toan-1"]
    reply = send(tier, AWAY, "GET", "/catalogue/courses/algebra%2D1")
    assert reply.document["id"] == "algebra-1"
    reply = send(tier, AWAY, "GET", "/catalogue/courses?q=%")
    assert (reply.status, reply.document["code"]) == (400, "escape_malformed")


def check_lost_database(tier: regional.Tier) -> None:
    child(tier, AWAY, "postgres").kill()
    wait_until(lambda: not tier.server(AWAY).is_ready(), "the end of the server")
    reply = send(tier, AWAY, "GET", f"/catalogue/courses?q={uuid.uuid4().hex[:8]}")
    assert reply.status == 503
    assert reply.headers["Retry-After"] == "5"
    assert send(tier, AWAY, "GET", "/catalogue/health").status == 503
    assert send(tier, HOME, "GET", "/catalogue/health").status == 200


def check_returned_parts(tier: regional.Tier, token: str) -> None:
    """The database and the cache start again beside the load balancer, which goes on."""
    group = tier._processes[AWAY].pid
    for part in ("database", "cache"):
        tier.restart(AWAY, part)
    assert tier._processes[AWAY].pid == group
    assert psutil.pid_exists(group)
    wait_until(
        lambda: send(tier, AWAY, "GET", "/catalogue/health").status == 200, "the returned database"
    )
    document = COURSE | COMMON | {"id": f"course-{uuid.uuid4()}"}
    change = partial(send, tier, AWAY, "POST", "/catalogue/staff/courses", token, document)
    key = str(uuid.uuid4())
    wait_until(lambda: change(key=key).status == 201, "a change")


def test_command_loses_and_promotes_a_region() -> None:
    require_servers()
    done = subprocess.run(
        [sys.executable, "-m", "tools.regional"],
        cwd=ROOT,
        input="lose us-east-1\npromote eu-west-2\nreturn us-east-1\npromote eu-west-2\nquit\n",
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[-4:-1] == [
        "us-east-1 is lost.",
        "eu-west-2 has the primary. Changes go there.",
        "us-east-1 is back.",
    ]
    assert lines[-1].startswith("error: 'promote eu-west-2' can't be done.")
