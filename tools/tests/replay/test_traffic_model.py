"""The traffic model follows its statistics, which are those of the public log."""

import dataclasses
import ipaddress
import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.errors import CommandError
from tools.replay.combined_log_format import Request, parse
from tools.replay.page_paths import is_page
from tools.replay.traffic_model import SITE, generate_log
from tools.replay.traffic_model_command import main
from tools.replay.traffic_statistics import (
    STATISTICS_FILE,
    VISITOR_CLASSES,
    TrafficStatistics,
    load_statistics,
    measure_traffic,
    referrer_class,
    save_statistics,
)
from tools.replay.user_agents import EXAMPLE_USER_AGENTS, FAMILIES, NONE, user_agent_family
from tools.tests.strategies import log_requests

DOCUMENTATION = [
    ipaddress.ip_network(network)
    for network in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
]


@pytest.fixture(scope="module")
def statistics() -> TrafficStatistics:
    return load_statistics()


@pytest.fixture(scope="module")
def requests(statistics: TrafficStatistics) -> list[Request]:
    parsed_requests = [parse(line.encode()) for line in generate_log(statistics)]
    return [entry for entry in parsed_requests if isinstance(entry, Request)]


def totals(model: TrafficStatistics) -> set[int]:
    """Return each sum of the statistics that counts all requests."""
    return {
        model.requests,
        sum(model.hours),
        sum(times * paths for pairs in model.popularity.values() for times, paths in pairs),
        sum(sum(counts.values()) for counts in model.kinds.values()),
        sum(length * visits for pairs in model.visit_requests.values() for length, visits in pairs),
        sum(sum(counts.values()) for counts in model.referrers.values()),
        sum(model.methods.values()),
        sum(model.statuses.values()),
    }


def test_statistics_sum_to_the_number_of_requests(statistics: TrafficStatistics) -> None:
    assert totals(statistics) == {10_000}
    for name in VISITOR_CLASSES:
        visits = sum(count for _, count in statistics.visit_requests[name])
        assert visits == sum(statistics.agents[name].values())
    assert statistics.visits == sum(sum(counts.values()) for counts in statistics.agents.values())
    assert statistics.visitors <= statistics.visits


@given(st.lists(log_requests(), max_size=30))
def test_statistics_of_any_log_sum_to_its_requests(own_requests: list[Request]) -> None:
    assert totals(measure_traffic(own_requests, {}, SITE)) == {len(own_requests)}


@pytest.mark.shared
def test_statistics_file_matches_the_public_log(public_log: Path, tmp_path: Path) -> None:
    with public_log.open("rb") as file:
        own_requests = [entry for line in file if isinstance(entry := parse(line), Request)]
    source = load_statistics().source
    save_statistics(
        measure_traffic(own_requests, source, "http://www.semicomplete.com"),
        tmp_path / "measured.json",
    )

    assert (tmp_path / "measured.json").read_bytes() == STATISTICS_FILE.read_bytes()


def test_statistics_contain_no_personal_data(statistics: TrafficStatistics) -> None:
    names = {name for name, _, _ in FAMILIES} | {NONE, "other"}
    assert set(statistics.agents["people"]) | set(statistics.agents["machines"]) <= names
    text = json.dumps({**dataclasses.asdict(statistics), "source": None})
    assert "Mozilla" not in text
    assert "/" not in text


def test_generated_log_depends_only_on_the_seed(statistics: TrafficStatistics) -> None:
    assert generate_log(statistics, seed=1, requests=200) == generate_log(
        statistics, seed=1, requests=200
    )
    assert generate_log(statistics, seed=1, requests=200) != generate_log(
        statistics, seed=2, requests=200
    )


@pytest.mark.slow
def test_generated_log_is_valid_and_sorted(requests: list[Request]) -> None:
    assert len(requests) == 10_000
    assert requests == sorted(requests, key=lambda request: request.at)
    for request in requests:
        assert request.address is not None
        address = ipaddress.ip_address(request.address)
        assert any(address in network for network in DOCUMENTATION)


def test_generated_log_follows_the_statistics(
    statistics: TrafficStatistics, requests: list[Request]
) -> None:
    measured = measure_traffic(requests, {}, SITE)

    def close(one: int, other: int) -> bool:
        return abs(one - other) < 0.04 * 10_000

    for name in VISITOR_CLASSES:
        assert close(sum(measured.kinds[name].values()), sum(statistics.kinds[name].values()))
        for source, count in statistics.referrers[name].items():
            assert close(measured.referrers[name].get(source, 0), count)
    for status, count in statistics.statuses.items():
        assert close(measured.statuses.get(status, 0), count)
    assert abs(measured.visitors - statistics.visitors) < 0.2 * statistics.visitors
    # As in the public log, afternoons have more requests than nights.
    assert sum(measured.hours[13:21]) > sum(measured.hours[0:8])
    most = Counter(request.path for request in requests).most_common(3)
    assert {path for path, _ in most} >= {"/favicon.ico", "/"}


@pytest.mark.parametrize("name", EXAMPLE_USER_AGENTS)
def test_example_user_agent_belongs_to_its_family(name: str) -> None:
    assert user_agent_family(EXAMPLE_USER_AGENTS[name])[0] == name


def test_paths_and_referrers_are_classified() -> None:
    assert is_page("/a.html")
    assert not is_page("/A.CSS")
    site = "http://www.school.example"
    assert referrer_class(None, site) == "none"
    assert referrer_class("https://school.example/x", site) == "own"
    assert referrer_class("https://www.google.de/?q=x", site) == "search"
    assert referrer_class("http://[", site) == "elsewhere"
    assert referrer_class("android-app://x", site) == "elsewhere"


def test_load_statistics_rejects_an_invalid_file(tmp_path: Path) -> None:
    for text in ("", "[]", '{"hours": []}'):
        (tmp_path / "f.json").write_text(text)
        with pytest.raises(CommandError, match="Can't read the traffic statistics"):
            load_statistics(tmp_path / "f.json")


def test_command_prints_a_generated_log(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--requests", "5"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 5
    assert main(["--fit", "/no/such.log"]) == 1
