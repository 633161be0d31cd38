"""Crawlers are known by a well-kept list; people and SDKs are not on it."""

import pytest

from edge_ingest import agents
from tests.unit.edge_ingest import edge

CRAWLERS = [
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "curl/8.5.0",
    "Wget/1.21",
    "AdsBot-Google (+http://www.google.com/adsbot.html)",
]
PEOPLE = [
    None,
    "",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/156.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Safari/604.1",
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    # Sorted: pytest-xdist needs the same order of tests in each worker.
    *sorted(
        {
            value
            for recorded in edge.recorded()
            for name, value in recorded["headers"]
            if name.lower() == "user-agent"
        }
    ),
]


@pytest.mark.parametrize("agent", CRAWLERS)
def test_crawlers_are_known(agent: str) -> None:
    assert agents.is_bot(agent)


@pytest.mark.parametrize("agent", PEOPLE)
def test_people_and_sdks_are_none(agent: str | None) -> None:
    assert not agents.is_bot(agent)


def test_the_list_says_where_it_is_from_and_is_whole() -> None:
    text = (edge.FIXTURES.parents[2] / "src" / "edge_ingest" / "crawlers.txt").read_text()
    assert "crawler-user-agents 1.67.0" in text
    assert "MIT License" in text
    crawlers = agents.load()
    assert len(crawlers.texts) == 1494
    assert all(len(entry) >= 3 for entry in crawlers.texts)
