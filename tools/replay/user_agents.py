"""Classify user agents by family, for the statistics of a log and the traffic model."""

from typing import Final

#: Family, a substring in lower case (the first match wins), and whether it is a bot.
FAMILIES: Final[tuple[tuple[str, str, bool], ...]] = (
    ("Googlebot", "googlebot", True),
    ("Bingbot", "bingbot", True),
    ("feed reader", "feed", True),
    ("feed reader", "rss", True),
    ("other bot", "bot", True),
    ("other bot", "spider", True),
    ("other bot", "crawl", True),
    ("other bot", "slurp", True),
    ("program", "curl/", True),
    ("program", "wget/", True),
    ("program", "python", True),
    ("program", "java/", True),
    ("Android", "android", False),
    ("iPhone or iPad", "like mac os x", False),
    ("Opera", "opera", False),
    ("Internet Explorer", "msie", False),
    ("Internet Explorer", "trident/", False),
    ("Chrome", "chrome/", False),
    ("Firefox", "firefox/", False),
    ("Safari", "safari/", False),
)
OTHER: Final = "other"
NONE: Final = "none"

_MOZILLA: Final = "Mozilla/5.0"
_WINDOWS: Final = f"{_MOZILLA} (Windows NT 10.0; Win64; x64)"
_CHROME: Final = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0"
_WEBKIT: Final = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6"
#: The user agent that the traffic model uses for a family. They are not taken from a log.
EXAMPLE_USER_AGENTS: Final[dict[str, str]] = {
    "Googlebot": f"{_MOZILLA} (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Bingbot": f"{_MOZILLA} (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "feed reader": "FeedReaderBot/1.0 (+https://reader.example/)",
    "other bot": f"{_MOZILLA} (compatible; SchoolBot/1.0; +https://bot.example/)",
    "program": "curl/8.9.1",
    "Android": f"{_MOZILLA} (Linux; Android 10; K) {_CHROME} Mobile Safari/537.36",
    "iPhone or iPad": f"{_MOZILLA} (iPhone; CPU iPhone OS 17_6 like Mac OS X) {_WEBKIT} "
    "Mobile/15E148 Safari/604.1",
    "Opera": f"{_WINDOWS} {_CHROME} Safari/537.36 Opera/116.0.0.0",
    "Internet Explorer": f"{_MOZILLA} (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko",
    "Chrome": f"{_WINDOWS} {_CHROME} Safari/537.36",
    "Firefox": f"{_MOZILLA} (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
    "Safari": f"{_MOZILLA} (Macintosh; Intel Mac OS X 10_15_7) {_WEBKIT} Safari/605.1.15",
    OTHER: _MOZILLA,
}


def user_agent_family(agent: str | None) -> tuple[str, bool]:
    """Return the family of a user agent, and whether it is a bot."""
    if agent is None:
        return NONE, False
    lowered = agent.lower()
    for name, substring, bot in FAMILIES:
        if substring in lowered:
            return name, bot
    return OTHER, False
