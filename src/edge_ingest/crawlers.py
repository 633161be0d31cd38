"""Crawler detection by user agent, with the list in `crawlers.txt`.

`redaction` sets the record's `bot` flag with `is_bot`.
"""

import os
import re
from functools import lru_cache
from typing import Final

import msgspec

_LIST_FILE: Final = os.path.join(os.path.dirname(__file__), "crawlers.txt")  # noqa: PTH118, PTH120 - pathlib is slow to import


class _Crawlers(msgspec.Struct, frozen=True):
    substrings: tuple[str, ...]
    patterns: re.Pattern[str]


@lru_cache(maxsize=1)
def load() -> _Crawlers:
    """Return the list, read from the file on the first call: 1,494 substrings and 25 patterns."""
    with open(_LIST_FILE, encoding="utf-8") as file:  # noqa: PTH123 - see above
        lines = [line for line in file.read().splitlines() if line and not line.startswith("#")]
    return _Crawlers(
        substrings=tuple(line for line in lines if not line.startswith("~")),
        patterns=re.compile("|".join(line[1:] for line in lines if line.startswith("~"))),
    )


@lru_cache(maxsize=512)
def is_bot(user_agent: str | None) -> bool:
    """Return whether a user agent is a crawler's.

    A missing user agent isn't a crawler's: server SDKs may omit it.
    """
    if not user_agent:
        return False
    crawlers = load()
    return any(text in user_agent for text in crawlers.substrings) or bool(
        crawlers.patterns.search(user_agent)
    )
