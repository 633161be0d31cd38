"""Generate the access log of a school day, for machines without the public log and a network.

The seeded model draws from the statistics in `school_day.json`: visitors by user agent family, hour
of day, requests per visit, popularity of paths and referrers. Paths are those of a school;
addresses are from the ranges that RFC 5737 and RFC 3849 reserve for documentation.
`python -m tools.replay.traffic_model_command --fit LOG` measures the statistics of a log again.
"""

import ipaddress
import random
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from tools.replay.traffic_statistics import (
    VISITOR_CLASSES,
    Histogram,
    TrafficStatistics,
    load_statistics,
)
from tools.replay.user_agents import EXAMPLE_USER_AGENTS

__all__ = ["REQUESTS", "SEED", "SITE", "generate_log", "load_statistics"]

SEED: Final = 2015
REQUESTS: Final = 10_000
SITE: Final = "https://school.example"
#: A Monday. The date is fixed, so that a seed always gives the same bytes.
DAY: Final = datetime(2025, 9, 15, tzinfo=UTC)

_SUBJECTS: Final = (
    "maths", "physics", "chemistry", "biology", "english", "history", "music", "drawing",
    "programming", "economics",
)  # fmt: skip
_PAGES: Final = (
    "/",
    "/courses/",
    "/timetable/",
    "/teachers/",
    "/prices/",
    "/signup/",
    "/blog/",
    "/help/",
)
_FILES: Final = ("/favicon.ico", "/assets/style.css", "/assets/reset.css", "/assets/app.js")
_NETWORKS: Final = ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")
_REFERRERS: Final = {"search": "https://www.google.com/", "elsewhere": "https://forum.example/"}


class _Visitor(NamedTuple):
    address: str
    family: str


class _Entry(NamedTuple):
    at: datetime
    order: int
    line: str


class _Weighted[T]:
    """A random choice weighted by counts."""

    def __init__(self, counts: Sequence[tuple[T, int]]) -> None:
        self._values = [value for value, _ in counts]
        self._counts = [count for _, count in counts]

    def draw(self, rng: random.Random) -> T:
        return rng.choices(self._values, self._counts)[0]


def generate_log(
    statistics: TrafficStatistics, *, seed: int = SEED, requests: int = REQUESTS
) -> list[str]:
    """Return a log of `requests` lines, sorted by time. A seed always gives the same log."""
    rng = random.Random(seed)  # noqa: S311 - not a secret
    entries: list[_Entry] = []
    for entry in _entries(statistics, rng):
        entries.append(entry)
        if len(entries) == requests:
            break
    return [entry.line for entry in sorted(entries)]


def _entries(statistics: TrafficStatistics, rng: random.Random) -> Iterator[_Entry]:
    machines = sum(count for _, count in statistics.visit_requests["machines"])
    hours = _Weighted(list(enumerate(statistics.hours)))
    lengths = {name: _Weighted(statistics.visit_requests[name]) for name in VISITOR_CLASSES}
    families = {name: _Weighted(list(statistics.agents[name].items())) for name in VISITOR_CLASSES}
    visitors: dict[str, list[_Visitor]] = {name: [] for name in VISITOR_CLASSES}
    draw = _Lines(statistics, rng)
    order = 0
    for number in range(sys.maxsize):
        visitor_class = VISITOR_CLASSES[rng.random() < machines / statistics.visits]
        visitor = _Visitor(_address(number), families[visitor_class].draw(rng))
        if visitors[visitor_class] and rng.random() >= statistics.visitors / statistics.visits:
            visitor = rng.choice(visitors[visitor_class])
        else:
            visitors[visitor_class].append(visitor)
        at = DAY + timedelta(hours=hours.draw(rng), seconds=rng.randrange(3600))
        came_from: str | None = None
        for _ in range(lengths[visitor_class].draw(rng)):
            line, came_from = draw.line(visitor, visitor_class, at, came_from)
            yield _Entry(at, order, line)
            order += 1
            at += timedelta(seconds=round(rng.expovariate(1 / max(statistics.pause_s, 1.0))))


class _Lines:
    """Draw single log lines."""

    def __init__(self, statistics: TrafficStatistics, rng: random.Random) -> None:
        self._rng = rng
        self._bytes = statistics.median_bytes
        self._paths = {
            kind: _Weighted(_catalogue(kind, histogram))
            for kind, histogram in statistics.popularity.items()
        }
        self._kind = {
            name: _Weighted(list(statistics.kinds[name].items())) for name in VISITOR_CLASSES
        }
        self._referrer = {
            name: _Weighted(list(statistics.referrers[name].items())) for name in VISITOR_CLASSES
        }
        self._method = _Weighted(list(statistics.methods.items()))
        self._status = _Weighted(list(statistics.statuses.items()))

    def line(
        self, visitor: _Visitor, visitor_class: str, at: datetime, came_from: str | None
    ) -> tuple[str, str]:
        """Return a log line, and the page that the visitor sees after it."""
        kind = self._kind[visitor_class].draw(self._rng)
        path = self._paths[kind].draw(self._rng)
        status = self._status.draw(self._rng)
        size = "-" if status == "304" else self._bytes[kind]
        source = self._referrer[visitor_class].draw(self._rng)
        referrer = SITE + (came_from or "/") if source == "own" else _REFERRERS.get(source, "-")
        text = (
            f"{visitor.address} - - [{at:%d/%b/%Y:%H:%M:%S +0000}] "
            f'"{self._method.draw(self._rng)} {path} HTTP/1.1" {status} {size} '
            f'"{referrer}" "{EXAMPLE_USER_AGENTS.get(visitor.family, "-")}"\n'
        )
        return text, path if kind == "pages" else came_from or "/"


def _catalogue(kind: str, histogram: Histogram) -> list[tuple[str, int]]:
    """Return the school's paths with the log's request counts, most popular first."""
    times = [count for count, paths in histogram for _ in range(paths)]
    return [(_path(kind, rank), count) for rank, count in enumerate(times)]


def _path(kind: str, rank: int) -> str:
    first = _PAGES if kind == "pages" else _FILES
    if rank < len(first):
        return first[rank]
    number, subject = divmod(rank - len(first), len(_SUBJECTS))
    if kind == "files":
        return f"/assets/images/{_SUBJECTS[subject]}-{number + 1}.png"
    # One in four lessons requires payment.
    area = "premium" if number % 4 == 3 else "courses"
    return f"/{area}/{_SUBJECTS[subject]}/lesson-{number + 1}/"


def _address(number: int) -> str:
    """Return a documentation address: the first 762 from RFC 5737, then from RFC 3849."""
    network, host = divmod(number, 254)
    if network < len(_NETWORKS):
        return str(ipaddress.ip_network(_NETWORKS[network])[host + 1])
    return str(ipaddress.ip_network("2001:db8::/32")[number])
