"""Is this visitor a crawler? Asked of a well-kept list, by the user agent."""

import re
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

_LIST: Final = Path(__file__).with_name("crawlers.txt")


class _Crawlers(NamedTuple):
    texts: tuple[str, ...]
    patterns: re.Pattern[str]


@lru_cache(maxsize=1)
def load() -> _Crawlers:
    """Read the list once: some 1,500 texts, and 25 patterns as one expression."""
    lines = [
        line
        for line in _LIST.read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    return _Crawlers(
        texts=tuple(line for line in lines if not line.startswith("~")),
        patterns=re.compile("|".join(line[1:] for line in lines if line.startswith("~"))),
    )


@lru_cache(maxsize=512)
def is_bot(agent: str | None) -> bool:
    """Tell whether a user agent is a crawler's. No agent at all is nobody's browser, and no bot:
    server SDKs need not send one."""
    if not agent:
        return False
    crawlers = load()
    return any(text in agent for text in crawlers.texts) or bool(crawlers.patterns.search(agent))
