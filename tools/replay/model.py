"""A seeded model of a school day, for a machine that has neither the public log nor a network.

It draws an access log from the figures in `school_day.json`: who comes (people and machines, by
family of agent), when (by hour), for how long (requests of a visit), to what (popularity by rank)
and from where (referrers). The names are a school's, the addresses those that RFC 5737 and
RFC 3849 keep for documentation. `python -m tools.replay.model --fit LOG` counts the figures anew.
"""

import argparse
import ipaddress
import random
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from aws_emulator.errors import CommandError
from tools.replay.agents import EXAMPLES
from tools.replay.combined import Request, parse
from tools.replay.figures import CLASSES, FILE, Figures, Histogram, fit, load, save

__all__ = ["REQUESTS", "SEED", "SITE", "day", "load"]

SEED = 2015
REQUESTS = 10_000
SITE = "https://school.example"
#: A Monday. The model's day is always the same one, as its log must be the same bytes.
DAY = datetime(2025, 9, 15, tzinfo=UTC)

_SUBJECTS = (
    "maths", "physics", "chemistry", "biology", "english", "history", "music", "drawing",
    "programming", "economics",
)  # fmt: skip
_PAGES = ("/", "/courses/", "/timetable/", "/teachers/", "/prices/", "/signup/", "/blog/", "/help/")
_FILES = ("/favicon.ico", "/assets/style.css", "/assets/reset.css", "/assets/app.js")
_NETWORKS = ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")
_REFERRERS = {"search": "https://www.google.com/", "elsewhere": "https://forum.example/"}


class _Visitor(NamedTuple):
    address: str
    family: str


class _Entry(NamedTuple):
    at: datetime
    order: int
    line: str


class _Weighted[T]:
    """A choice by counts."""

    def __init__(self, counts: Sequence[tuple[T, int]]) -> None:
        self._values = [value for value, _ in counts]
        self._counts = [count for _, count in counts]

    def draw(self, chance: random.Random) -> T:
        return chance.choices(self._values, self._counts)[0]


def day(figures: Figures, *, seed: int = SEED, requests: int = REQUESTS) -> list[str]:
    """Return the day's log, `requests` lines sorted by time; the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311 - a model, no secret
    entries: list[_Entry] = []
    for entry in _entries(figures, chance):
        entries.append(entry)
        if len(entries) == requests:
            break
    return [entry.line for entry in sorted(entries)]


def _entries(figures: Figures, chance: random.Random) -> Iterator[_Entry]:
    machines = sum(count for _, count in figures.visit_requests["machines"])
    hours = _Weighted(list(enumerate(figures.hours)))
    lengths = {name: _Weighted(figures.visit_requests[name]) for name in CLASSES}
    families = {name: _Weighted(list(figures.agents[name].items())) for name in CLASSES}
    known: dict[str, list[_Visitor]] = {name: [] for name in CLASSES}
    draw = _Lines(figures, chance)
    order = 0
    for number in range(sys.maxsize):
        who = CLASSES[chance.random() < machines / figures.visits]
        visitor = _Visitor(_address(number), families[who].draw(chance))
        if known[who] and chance.random() >= figures.visitors / figures.visits:
            visitor = chance.choice(known[who])
        else:
            known[who].append(visitor)
        at = DAY + timedelta(hours=hours.draw(chance), seconds=chance.randrange(3600))
        came_from: str | None = None
        for _ in range(lengths[who].draw(chance)):
            line, came_from = draw.line(visitor, who, at, came_from)
            yield _Entry(at, order, line)
            order += 1
            at += timedelta(seconds=round(chance.expovariate(1 / max(figures.pause_s, 1.0))))


class _Lines:
    """Draws single requests."""

    def __init__(self, figures: Figures, chance: random.Random) -> None:
        self._chance = chance
        self._bytes = figures.median_bytes
        self._paths = {
            kind: _Weighted(_catalogue(kind, histogram))
            for kind, histogram in figures.popularity.items()
        }
        self._kind = {name: _Weighted(list(figures.kinds[name].items())) for name in CLASSES}
        self._referrer = {
            name: _Weighted(list(figures.referrers[name].items())) for name in CLASSES
        }
        self._method = _Weighted(list(figures.methods.items()))
        self._status = _Weighted(list(figures.statuses.items()))

    def line(
        self, visitor: _Visitor, who: str, at: datetime, came_from: str | None
    ) -> tuple[str, str]:
        """Return a line, and the page that the visitor is on after it."""
        kind = self._kind[who].draw(self._chance)
        path = self._paths[kind].draw(self._chance)
        status = self._status.draw(self._chance)
        size = "-" if status == "304" else self._bytes[kind]
        source = self._referrer[who].draw(self._chance)
        referrer = SITE + (came_from or "/") if source == "own" else _REFERRERS.get(source, "-")
        text = (
            f"{visitor.address} - - [{at:%d/%b/%Y:%H:%M:%S +0000}] "
            f'"{self._method.draw(self._chance)} {path} HTTP/1.1" {status} {size} '
            f'"{referrer}" "{EXAMPLES.get(visitor.family, "-")}"\n'
        )
        return text, path if kind == "pages" else came_from or "/"


def _catalogue(kind: str, histogram: Histogram) -> list[tuple[str, int]]:
    """Give the paths of the log, most asked for first, the names of a school's."""
    times = [count for count, paths in histogram for _ in range(paths)]
    return [(_path(kind, rank), count) for rank, count in enumerate(times)]


def _path(kind: str, rank: int) -> str:
    first = _PAGES if kind == "pages" else _FILES
    if rank < len(first):
        return first[rank]
    number, subject = divmod(rank - len(first), len(_SUBJECTS))
    if kind == "files":
        return f"/assets/images/{_SUBJECTS[subject]}-{number + 1}.png"
    # One lesson in four is for paying students.
    area = "premium" if number % 4 == 3 else "courses"
    return f"/{area}/{_SUBJECTS[subject]}/lesson-{number + 1}/"


def _address(number: int) -> str:
    """Return an address for documentation: RFC 5737 for the first 762, RFC 3849 after them."""
    network, host = divmod(number, 254)
    if network < len(_NETWORKS):
        return str(ipaddress.ip_network(_NETWORKS[network])[host + 1])
    return str(ipaddress.ip_network("2001:db8::/32")[number])


def _fit(log: str) -> Figures:
    # The model is one of the sources: importing them above would go round in a circle.
    from tools.replay.source import find

    source = find(log)
    requests = [entry for line in source.open() if isinstance(entry := parse(line), Request)]
    return fit(requests, {"sha256": source.digest, "lines": source.lines}, source.site)


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit the figures to a log, or print the model's own log."""
    parser = argparse.ArgumentParser(prog="python -m tools.replay.model", description=__doc__)
    parser.add_argument("--fit", metavar="LOG", help="count the figures of a log (path or address)")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--requests", type=int, default=REQUESTS)
    options = parser.parse_args(arguments)
    try:
        if options.fit:
            save(_fit(options.fit))
            print(f"Figures written to {FILE.name}.")
        else:
            sys.stdout.writelines(day(load(), seed=options.seed, requests=options.requests))
    except CommandError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
