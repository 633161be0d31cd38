"""Benchmark: the course catalogue over real servers, as ratios within one run.

    .venv/bin/python benchmarks/catalogue.py

Starts two Regions (tools/regional) and measures: a cached read, an uncached one, and the bare path
of load balancer and function (a refused address, which asks neither cache nor database); searches
in a database of 50,000 courses; the lag of the replica; a promotion; the requirements' size. Exits
with 1 if a figure misses its target.
"""

import http.client
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import quote

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

import pg8000.native  # noqa: E402 - needs the path above

from tools.paths import STATE  # noqa: E402
from tools.regional.__main__ import NO_STAFF  # noqa: E402
from tools.regional.postgres import is_usable  # noqa: E402
from tools.regional.tier import Tier, running  # noqa: E402

HOME: Final = "us-east-1"
AWAY: Final = "eu-west-2"
COURSES: Final = 50_000
REPETITIONS: Final = 300
MAX_CACHED_RATIO: Final = 1.5
MAX_SEARCH_MS: Final = 50.0
SEARCHES: Final = (
    ("algebra",),
    ("alg",),
    ("a",),
    ("word4711",),
    ("word47",),
    ("physics", "word12"),
    ("missing",),
    ("for", "teachers"),
)
_LOAD: Final = f"""
WITH w AS (SELECT
    ARRAY['algebra','geometry','calculus','history','biology','chemistry','physics','writing',
          'grammar','painting','music','python','statistics','economics','geography'] AS topics,
    ARRAY['Introduction to','Advanced','Applied','Foundations of','Modern','Practical'] AS kinds,
    ARRAY['beginners','teachers','engineers','children','examinations','scientists'] AS groups)
INSERT INTO courses (id, language, subject, teacher, title, summary)
SELECT 'bench-' || i, (ARRAY['en','hi','vi','es','fr','de'])[1 + i % 6], 'mathematics',
    'asha-menon', kinds[1 + i / 7 % 6] || ' ' || topics[1 + i * 13 % 15] || ' for '
    || groups[1 + i / 11 % 6] || ' ' || i,
    'About ' || topics[1 + i * 7 % 15] || ', number word' || i % 5000
FROM generate_series(1, {COURSES}) AS i, w
"""  # the number is a constant


def read_ms(connection: http.client.HTTPConnection, path: str) -> float:
    started = time.perf_counter()
    connection.request("GET", path)
    connection.getresponse().read()
    return (time.perf_counter() - started) * 1_000


def quantile(times_ms: list[float], percent: int) -> float:
    return statistics.quantiles(times_ms, n=100)[percent - 1]


def measure_reads(tier: Tier) -> dict[str, list[float]]:
    """Interleave the three kinds of requests, so that other load meets all of them."""
    port = tier.settings[AWAY].balancer_port
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    times: dict[str, list[float]] = {"bare": [], "cached": [], "uncached": []}
    for number in range(REPETITIONS + 20):
        paths = {
            "bare": "/catalogue/unknown",
            "cached": "/catalogue/courses?q=algebra",
            "uncached": f"/catalogue/courses?q=algebra+word{number}",
        }
        for name, path in paths.items():
            elapsed_ms = read_ms(connection, path)
            # The first ones start the function's environments.
            if number >= 20:
                times[name].append(elapsed_ms)
    connection.close()
    return times


def measure_searches(tier: Tier) -> list[float]:
    port = tier.settings[HOME].database_port
    database = pg8000.native.Connection(
        "meridian", host="127.0.0.1", port=port, database="catalogue", timeout=300
    )
    statement = "SELECT count(*) FROM catalogue_search(:words, NULL, NULL, -1, '', '', 21)"
    times = []
    for number in range(REPETITIONS + 20):
        words = list(SEARCHES[number % len(SEARCHES)])
        started = time.perf_counter()
        database.run(statement, words=words)
        if number >= 20:
            times.append((time.perf_counter() - started) * 1_000)
    database.close()
    return times


def until_ms(probe: Callable[[], bool]) -> float:
    started = time.perf_counter()
    while not probe():
        time.sleep(0.001)
    return (time.perf_counter() - started) * 1_000


def measure_lag(tier: Tier) -> float:
    connections = [
        pg8000.native.Connection(
            "meridian",
            host="127.0.0.1",
            port=tier.settings[region].database_port,
            database="catalogue",
            timeout=60,
        )
        for region in (HOME, AWAY)
    ]
    primary, replica = connections
    lags = []
    for _ in range(50):
        rows = primary.run("UPDATE generation SET number = number + 1 RETURNING number")
        number = rows[0][0]

        def has_arrived(number: int = number) -> bool:
            return bool(replica.run("SELECT number FROM generation")[0][0] >= number)

        lags.append(until_ms(has_arrived))
    for connection in connections:
        connection.close()
    return statistics.median(lags)


def package_bytes() -> int:
    folder = STATE / "catalogue-packages"
    files = [*folder.rglob("*.py"), *(ROOT / "src" / "catalogue").rglob("*.py")]
    return sum(path.stat().st_size for path in files)


def main() -> int:
    failures: list[str] = []
    if not is_usable():
        return 0
    with running(STATE / "bench-catalogue", (HOME, AWAY), NO_STAFF) as tier:
        started = time.perf_counter()
        read = http.client.HTTPConnection("127.0.0.1", tier.settings[AWAY].balancer_port)
        read_ms(read, f"/catalogue/courses?q={quote('toán')}")
        print(f"first request of a Region         {(time.perf_counter() - started) * 1e3:9.1f} ms")
        times = measure_reads(tier)
        medians = {name: statistics.median(values) for name, values in times.items()}
        for name, values in times.items():
            line = f"p50 {medians[name]:7.2f} ms   p99 {quantile(values, 99):7.2f} ms"
            print(f"{name + ' read':<30} {line}")
        ratio = medians["cached"] / medians["bare"]
        print(f"cached to bare path               {ratio:9.2f}   (at most {MAX_CACHED_RATIO})")
        print(f"uncached to cached                {medians['uncached'] / medians['cached']:9.2f}")
        if ratio > MAX_CACHED_RATIO:
            failures.append("cached read")
        print(f"lag of the replica, p50           {measure_lag(tier):9.1f} ms")
        print(f"loading {COURSES:,} courses", flush=True)
        tier.server(HOME).sql(_LOAD)
        tier.server(HOME).sql("VACUUM ANALYZE courses")
        searches = measure_searches(tier)
        p99 = quantile(searches, 99)
        print(f"search of {COURSES:,} courses       p50 {statistics.median(searches):7.2f} ms   "
              f"p99 {p99:7.2f} ms (at most {MAX_SEARCH_MS:.0f})")  # fmt: skip
        if p99 > MAX_SEARCH_MS:
            failures.append("search")
        tier.lose(HOME)
        started = time.perf_counter()
        tier.promote(AWAY)
        print(f"promotion                         {(time.perf_counter() - started) * 1e3:9.1f} ms")
        started = time.perf_counter()
        tier.take_back(HOME)
        print(f"old primary back as a replica     {(time.perf_counter() - started) * 1e3:9.1f} ms")
    print(f"code of the function              {package_bytes() / 1e6:9.2f} MB, not compressed")
    if failures:
        print(f"Missed targets: {', '.join(failures)}")
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
