"""Statistics of an access log for the traffic model: counts without personal data."""

import json
import statistics
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from aws_emulator.errors import CommandError
from tools.replay.combined_log_format import Request
from tools.replay.page_paths import is_page
from tools.replay.user_agents import user_agent_family

STATISTICS_FILE: Final = Path(__file__).with_name("school_day.json")
#: A visit ends after this time without a request, as the report's sessions do.
VISIT_GAP: Final = timedelta(minutes=30)
VISITOR_CLASSES: Final = ("people", "machines")
_SEARCH_HOSTS: Final = (
    "google.",
    "bing.",
    "yahoo.",
    "duckduckgo.",
    "yandex.",
    "baidu.",
    "ask.com",
    "search",
)

#: Pairs of a value and how often it occurred.
Histogram = list[tuple[int, int]]


@dataclass(frozen=True)
class TrafficStatistics:
    """The model's parameters.

    `hours`: requests by hour of day (UTC). `popularity`: for pages and files, pairs of a number of
    requests and the number of paths with it. `kinds`: requests for pages and files, by visitor
    class. `visit_requests`: by visitor class, pairs of a number of requests and the number of
    visits with it. `agents`: visits by user agent family. `referrers`, `methods`, `statuses`:
    requests. `pause_s`: mean time between two requests of a visit. `median_bytes`: response size.
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


def measure_traffic(
    requests: Iterable[Request], source: dict[str, Any], site: str
) -> TrafficStatistics:
    """Measure the statistics of a log. `site` is the logged site, scheme and host."""
    hours = [0] * 24
    paths: dict[str, Counter[str]] = {"pages": Counter(), "files": Counter()}
    sizes: dict[str, list[int]] = {"pages": [], "files": []}
    referrers: dict[str, Counter[str]] = {name: Counter() for name in VISITOR_CLASSES}
    kinds: dict[str, Counter[str]] = {name: Counter() for name in VISITOR_CLASSES}
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
        visitor_class = VISITOR_CLASSES[user_agent_family(request.agent)[1]]
        kinds[visitor_class][kind] += 1
        referrers[visitor_class][referrer_class(request.referrer, site)] += 1
        methods[request.method] += 1
        statuses[str(request.status)] += 1
        times.setdefault((request.client, request.agent), []).append(request.at)
    lengths: dict[str, Counter[int]] = {name: Counter() for name in VISITOR_CLASSES}
    agents: dict[str, Counter[str]] = {name: Counter() for name in VISITOR_CLASSES}
    pauses: list[float] = []
    for (_, agent), moments in times.items():
        name, machine = user_agent_family(agent)
        for visit in visits(moments):
            lengths[VISITOR_CLASSES[machine]][len(visit)] += 1
            agents[VISITOR_CLASSES[machine]][name] += 1
            if len(visit) > 1:
                pauses.append((visit[-1] - visit[0]).total_seconds() / (len(visit) - 1))
    return TrafficStatistics(
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
    """Split the request times of one visitor into visits, at gaps longer than VISIT_GAP."""
    groups: list[list[datetime]] = []
    for moment in sorted(moments):
        if not groups or moment - groups[-1][-1] > VISIT_GAP:
            groups.append([])
        groups[-1].append(moment)
    return groups


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
    return "search" if any(part in host for part in _SEARCH_HOSTS) else "elsewhere"


def load_statistics(path: Path = STATISTICS_FILE) -> TrafficStatistics:
    """Read the statistics file.

    Raises:
        CommandError: The file can't be read.
    """
    try:
        return TrafficStatistics(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise CommandError(
            f"Can't read the traffic statistics in {path}: {error}. Run `git checkout {path.name}` "
            "in its folder."
        ) from error


def save_statistics(statistics: TrafficStatistics, path: Path = STATISTICS_FILE) -> None:
    """Write the statistics file, one line per field."""
    rows = (f'  "{key}": {json.dumps(value)}' for key, value in asdict(statistics).items())
    path.write_text("{\n" + ",\n".join(rows) + "\n}\n", encoding="utf-8")


def _histogram(counts: Counter[int]) -> Histogram:
    return sorted(counts.items(), reverse=True)


def _ordered(counts: Counter[str]) -> dict[str, int]:
    return dict(counts.most_common())
