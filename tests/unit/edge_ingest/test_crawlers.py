"""Tests for `crawlers`: user agents of crawlers, browsers and SDKs, and the list's contents."""

import pytest

from edge_ingest import crawlers
from tests.unit.edge_ingest import harness

CRAWLERS = [
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "curl/8.5.0",
    "Wget/1.21",
    "AdsBot-Google (+http://www.google.com/adsbot.html)",
]
NOT_CRAWLERS = [
    None,
    "",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/156.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Safari/604.1",
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    # Sorted: pytest-xdist needs the same order of tests in each worker.
    *sorted(
        {
            value
            for recorded in harness.recorded()
            for name, value in recorded["headers"]
            if name.lower() == "user-agent"
        }
    ),
]


@pytest.mark.parametrize("agent", CRAWLERS)
def test_is_bot_is_true_for_crawler(agent: str) -> None:
    assert crawlers.is_bot(agent)


@pytest.mark.parametrize("agent", NOT_CRAWLERS)
def test_is_bot_is_false_for_browser_or_sdk(agent: str | None) -> None:
    assert not crawlers.is_bot(agent)


def test_list_is_complete_and_names_its_source_and_license() -> None:
    text = (harness.FIXTURES.parents[2] / "src" / "edge_ingest" / "crawlers.txt").read_text()
    assert "crawler-user-agents 1.67.0" in text
    assert "MIT License" in text
    substrings = crawlers.load().substrings
    assert len(substrings) == 1494
    assert all(len(entry) >= 3 for entry in substrings)
