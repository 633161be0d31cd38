"""The model draws what its figures say, and its figures are those of the public log."""

import dataclasses
import ipaddress
import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.errors import CommandError
from tools.replay.agents import EXAMPLES, FAMILIES, NONE, family
from tools.replay.combined import Request, parse
from tools.replay.figures import CLASSES, FILE, Figures, fit, load, referrer_class, save
from tools.replay.kinds import is_page
from tools.replay.model import SITE, day, main
from tools.tests.strategies import log_requests

DOCUMENTATION = [
    ipaddress.ip_network(network)
    for network in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
]


@pytest.fixture(scope="module")
def figures() -> Figures:
    return load()


@pytest.fixture(scope="module")
def requests(figures: Figures) -> list[Request]:
    found = [parse(line.encode()) for line in day(figures)]
    return [entry for entry in found if isinstance(entry, Request)]


def totals(found: Figures) -> set[int]:
    """Every way to count the requests of the log from its figures."""
    return {
        found.requests,
        sum(found.hours),
        sum(times * paths for pairs in found.popularity.values() for times, paths in pairs),
        sum(sum(counts.values()) for counts in found.kinds.values()),
        sum(length * visits for pairs in found.visit_requests.values() for length, visits in pairs),
        sum(sum(counts.values()) for counts in found.referrers.values()),
        sum(found.methods.values()),
        sum(found.statuses.values()),
    }


def test_the_figures_sum_up(figures: Figures) -> None:
    assert totals(figures) == {10_000}
    for name in CLASSES:
        visits = sum(count for _, count in figures.visit_requests[name])
        assert visits == sum(figures.agents[name].values())
    assert figures.visits == sum(sum(counts.values()) for counts in figures.agents.values())
    assert figures.visitors <= figures.visits


@given(st.lists(log_requests(), max_size=30))
def test_the_figures_of_any_log_sum_up(found: list[Request]) -> None:
    assert totals(fit(found, {}, SITE)) == {len(found)}


@pytest.mark.shared
def test_the_figures_are_those_of_the_public_log(public_log: Path, tmp_path: Path) -> None:
    with public_log.open("rb") as file:
        found = [entry for line in file if isinstance(entry := parse(line), Request)]
    source = load().source
    save(fit(found, source, "http://www.semicomplete.com"), tmp_path / "again.json")

    assert (tmp_path / "again.json").read_bytes() == FILE.read_bytes()


def test_the_figures_name_nobody(figures: Figures) -> None:
    names = {name for name, _, _ in FAMILIES} | {NONE, "other"}
    assert set(figures.agents["people"]) | set(figures.agents["machines"]) <= names
    text = json.dumps({**dataclasses.asdict(figures), "source": None})
    assert "Mozilla" not in text
    assert "/" not in text


def test_a_day_is_the_same_for_the_same_seed(figures: Figures) -> None:
    assert day(figures, seed=1, requests=200) == day(figures, seed=1, requests=200)
    assert day(figures, seed=1, requests=200) != day(figures, seed=2, requests=200)


def test_every_line_of_a_day_is_read(requests: list[Request]) -> None:
    assert len(requests) == 10_000
    assert requests == sorted(requests, key=lambda request: request.at)
    for request in requests:
        assert request.address is not None
        address = ipaddress.ip_address(request.address)
        assert any(address in network for network in DOCUMENTATION)


def test_a_day_is_distributed_as_the_figures_say(figures: Figures, requests: list[Request]) -> None:
    found = fit(requests, {}, SITE)

    def near(one: int, other: int) -> bool:
        return abs(one - other) < 0.04 * 10_000

    for name in CLASSES:
        assert near(sum(found.kinds[name].values()), sum(figures.kinds[name].values()))
        for source, count in figures.referrers[name].items():
            assert near(found.referrers[name].get(source, 0), count)
    for status, count in figures.statuses.items():
        assert near(found.statuses.get(status, 0), count)
    assert abs(found.visitors - figures.visitors) < 0.2 * figures.visitors
    # The day has the log's rhythm: the afternoon is busier than the night.
    assert sum(found.hours[13:21]) > sum(found.hours[0:8])
    most = Counter(request.path for request in requests).most_common(3)
    assert {path for path, _ in most} >= {"/favicon.ico", "/"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_belongs_to_its_family(name: str) -> None:
    assert family(EXAMPLES[name])[0] == name


def test_classes_of_paths_and_referrers() -> None:
    assert is_page("/a.html")
    assert not is_page("/A.CSS")
    site = "http://www.school.example"
    assert referrer_class(None, site) == "none"
    assert referrer_class("https://school.example/x", site) == "own"
    assert referrer_class("https://www.google.de/?q=x", site) == "search"
    assert referrer_class("http://[", site) == "elsewhere"
    assert referrer_class("android-app://x", site) == "elsewhere"


def test_figures_that_cannot_be_read(tmp_path: Path) -> None:
    for text in ("", "[]", '{"hours": []}'):
        (tmp_path / "f.json").write_text(text)
        with pytest.raises(CommandError, match="figures of the model"):
            load(tmp_path / "f.json")


def test_the_command_prints_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--requests", "5"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 5
    assert main(["--fit", "/no/such.log"]) == 1
