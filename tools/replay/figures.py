"""The figures of a log, without anything of the people in it: counts and nothing else."""

import json
import statistics
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aws_emulator.errors import CommandError
from tools.replay.agents import family
from tools.replay.combined import Request
from tools.replay.kinds import is_page

FILE = Path(__file__).with_name("school_day.json")
#: A visit ends after this long without a request, as in the report's sessions.
VISIT_GAP = timedelta(minutes=30)
CLASSES = ("people", "machines")
_SEARCH = ("google.", "bing.", "yahoo.", "duckduckgo.", "yandex.", "baidu.", "ask.com", "search")

#: Pairs of a value and how often it occurred.
Histogram = list[tuple[int, int]]


@dataclass(frozen=True)
class Figures:
    """What a model needs.

    `hours` are requests by hour of the day (UTC). `popularity` holds for pages and files how many
    paths were asked for how often, as pairs (times, paths); `kinds` requests for either, by people
    and machines. `visit_requests` holds for people and
    machines how many visits had how many requests, as pairs (requests, visits); `agents` visits by
    family; `referrers`, `methods` and `statuses` requests. `pause_s` is the mean time between two
    requests of a visit, `median_bytes` the size of an answer.
    """

    source: dict[str, Any]
    requests: int
    visitors: int
    visits: int
    hours: list[int]
    popularity: dict[str, Histogram]
    kinds: dict[str, dict[str, int]]
    visit_requests: dict[str, Histogram]
    agents: dict[str, dict[str, int]]
    referrers: dict[str, dict[str, int]]
    methods: dict[str, int]
    statuses: dict[str, int]
    median_bytes: dict[str, int]
    pause_s: float


def fit(requests: Iterable[Request], source: dict[str, Any], site: str) -> Figures:
    """Count what the model needs. `site` is the log's own site, scheme and host."""
    hours = [0] * 24
    paths: dict[str, Counter[str]] = {"pages": Counter(), "files": Counter()}
    sizes: dict[str, list[int]] = {"pages": [], "files": []}
    referrers: dict[str, Counter[str]] = {name: Counter() for name in CLASSES}
    kinds: dict[str, Counter[str]] = {name: Counter() for name in CLASSES}
    methods: Counter[str] = Counter()
    statuses: Counter[str] = Counter()
    times: dict[tuple[str, str | None], list[datetime]] = {}
    total = 0
    for request in requests:
        total += 1
        hours[request.at.hour] += 1
        kind = "pages" if is_page(request.path) else "files"
        paths[kind][request.path] += 1
        if request.size is not None:
            sizes[kind].append(request.size)
        who = CLASSES[family(request.agent)[1]]
        kinds[who][kind] += 1
        referrers[who][referrer_class(request.referrer, site)] += 1
        methods[request.method] += 1
        statuses[str(request.status)] += 1
        times.setdefault((request.client, request.agent), []).append(request.at)
    lengths: dict[str, Counter[int]] = {name: Counter() for name in CLASSES}
    agents: dict[str, Counter[str]] = {name: Counter() for name in CLASSES}
    pauses: list[float] = []
    for (_, agent), moments in times.items():
        name, machine = family(agent)
        for visit in visits(moments):
            lengths[CLASSES[machine]][len(visit)] += 1
            agents[CLASSES[machine]][name] += 1
            if len(visit) > 1:
                pauses.append((visit[-1] - visit[0]).total_seconds() / (len(visit) - 1))
    return Figures(
        source=source,
        requests=total,
        visitors=len(times),
        visits=sum(sum(counts.values()) for counts in lengths.values()),
        hours=hours,
        popularity={kind: _histogram(Counter(counts.values())) for kind, counts in paths.items()},
        kinds={name: _ordered(counts) for name, counts in kinds.items()},
        visit_requests={name: _histogram(counts) for name, counts in lengths.items()},
        agents={name: _ordered(counts) for name, counts in agents.items()},
        referrers={name: _ordered(counts) for name, counts in referrers.items()},
        methods=_ordered(methods),
        statuses=_ordered(statuses),
        median_bytes={
            kind: int(statistics.median(values)) if values else 0 for kind, values in sizes.items()
        },
        pause_s=round(statistics.fmean(pauses), 1) if pauses else 0.0,
    )


def visits(moments: Iterable[datetime]) -> list[list[datetime]]:
    """Split the times of one visitor, sorted, where more than VISIT_GAP passed."""
    found: list[list[datetime]] = []
    for moment in sorted(moments):
        if not found or moment - found[-1][-1] > VISIT_GAP:
            found.append([])
        found[-1].append(moment)
    return found


def referrer_class(referrer: str | None, site: str) -> str:
    """Return "none", "own", "search" or "elsewhere"."""
    if referrer is None:
        return "none"
    try:
        host = urlsplit(referrer).hostname or ""
    except ValueError:
        return "elsewhere"
    own = (urlsplit(site).hostname or "").removeprefix("www.")
    if host.removeprefix("www.") == own:
        return "own"
    return "search" if any(mark in host for mark in _SEARCH) else "elsewhere"


def load(path: Path = FILE) -> Figures:
    """Read the figures that are written down in the repository."""
    try:
        return Figures(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise CommandError(f"The figures of the model ({path.name}) cannot be read.") from error


def save(figures: Figures, path: Path = FILE) -> None:
    """Write the figures down, one line for each."""
    rows = (f'  "{key}": {json.dumps(value)}' for key, value in asdict(figures).items())
    path.write_text("{\n" + ",\n".join(rows) + "\n}\n", encoding="utf-8")


def _histogram(counts: Counter[int]) -> Histogram:
    return sorted(counts.items(), reverse=True)


def _ordered(counts: Counter[str]) -> dict[str, int]:
    return dict(counts.most_common())
