"""Kill one part of a Region under load, and check the responses to readers and staff."""

import uuid
from collections.abc import Iterator
from functools import partial

import pytest

from tests.support.waiting import wait_until
from tests.system.catalogue.two_regions import (
    AWAY,
    HOME,
    Load,
    Reply,
    running,
    staff_token,
    stored,
)
from tools.regional import tier as regional

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

REGION = "region"
BOTH = frozenset({HOME, AWAY})
NOBODY: frozenset[str] = frozenset()
#: The replies that show that a Region goes on.
SERVED = 10
#: On a busy computer, a query may exceed its time limit.
SLOW = "query_too_slow"


@pytest.fixture(scope="module")
def tier() -> Iterator[regional.Tier]:
    with running("test-lost-parts") as started:
        yield started


class LoadOfSearches(Load):
    """Readers whose searches need the database, too, and the counts of what was served."""

    def queries(self, region: str) -> list[str]:
        # One search that the cache can have, and one that only the database can answer.
        return [f"q={it}" for it in ("algebra", f"algebra+{uuid.uuid4().hex[:12]}")]

    def changes_of(self, region: str) -> list[Reply]:
        """Return the replies to the changes of a Region."""
        return [it.reply for it in list(self.changes) if it.region == region]

    def has_read(self, region: str, since: int) -> bool:
        """Return whether a Region has served SERVED reads since a number of them."""
        return sum(it.status == 200 for it in self.reads[region][since:]) >= SERVED

    def has_written(self, region: str, since: int, status: int = 201) -> bool:
        """Return whether SERVED changes of a Region have a status since a number of them."""
        return sum(it.status == status for it in self.changes_of(region)[since:]) >= SERVED

    def wait(self, reading: frozenset[str], writing: frozenset[str]) -> None:
        """Wait until each of these Regions has served SERVED more requests."""
        waits = [
            *(
                (partial(self.has_read, it, len(self.reads[it])), f"reads of {it}")
                for it in reading
            ),
            *(
                (partial(self.has_written, it, len(self.changes_of(it))), f"changes of {it}")
                for it in writing
            ),
        ]
        for has_served, subject in waits:
            wait_until(has_served, subject)


#: What is lost, and the Regions that still read and change courses.
LOSSES: list[tuple[str, str, frozenset[str], frozenset[str]]] = [
    # The primary: no change anywhere, and the other Region reads on.
    ("database", HOME, frozenset({AWAY}), NOBODY),
    # A replica: its Region's function still changes the primary.
    ("database", AWAY, frozenset({HOME}), BOTH),
    ("cache", HOME, BOTH, BOTH),
    ("cache", AWAY, BOTH, BOTH),
    ("balancer", HOME, frozenset({AWAY}), frozenset({AWAY})),
    ("balancer", AWAY, frozenset({HOME}), frozenset({HOME})),
    (REGION, AWAY, frozenset({HOME}), frozenset({HOME})),
]


@pytest.mark.parametrize(
    ("part", "lost", "reading", "writing"), LOSSES, ids=[f"{it[0]}-{it[1]}" for it in LOSSES]
)
def test_lost_part_stops_only_requests_that_need_it(
    tier: regional.Tier, part: str, lost: str, reading: frozenset[str], writing: frozenset[str]
) -> None:
    load = LoadOfSearches(tier, staff_token())
    with load.running():
        load.wait(BOTH, BOTH)
        if part == REGION:
            tier.lose(lost)
        else:
            tier.kill(lost, part)
        # The requests on their way may have either reply.
        first_reads = {it: len(replies) + 1 for it, replies in load.reads.items()}
        first_writes = {it: len(load.changes_of(it)) + 1 for it in BOTH}
        load.wait(reading, writing)
        status = 0 if part in {REGION, "balancer"} else 503
        for region in BOTH - writing:
            refused = partial(load.has_written, region, first_writes[region], status)
            wait_until(refused, f"refusals of changes of {region}")
        last_reads = {it: len(replies) for it, replies in load.reads.items()}
        last_writes = {it: len(load.changes_of(it)) for it in BOTH}
        if part == REGION:
            tier.take_back(lost)
        else:
            tier.restart(lost, part)
        load.wait(BOTH, BOTH)

    is_away = part in {REGION, "balancer"}
    for region in sorted(BOTH):
        reads = load.reads[region][first_reads[region] : last_reads[region]]
        writes = load.changes_of(region)[first_writes[region] : last_writes[region]]
        if is_away and region == lost:
            assert {it.status for it in reads + writes} == {0}
            continue
        check_refusals(reads + writes)
        if region in reading:
            assert {it.document["code"] for it in reads if it.status != 200} <= {SLOW}
        if part == "database" and lost == HOME:
            assert {it.status for it in writes} == {503}
            others = [it for it in writes if it.document["code"] != SLOW]
            assert {it.document["code"] for it in others} == {"changes_unavailable"}
            assert {it.headers["Retry-After"] for it in others} == {"30"}
        assert {it.headers["X-Region"] for it in reads + writes} == {region}
    for region in sorted(BOTH):
        wait_until(
            partial(has_all, tier, region, set(load.acknowledged())), f"the rows of {region}"
        )


def check_refusals(replies: list[Reply]) -> None:
    assert {it.status for it in replies} <= {200, 201, 503}
    assert all(int(it.headers["Retry-After"]) > 0 for it in replies if it.status == 503)


def has_all(tier: regional.Tier, region: str, courses: set[str]) -> bool:
    return courses <= stored(tier, region)
