"""Benchmark: the collector's CPU time against that of an earlier version, in turns.

    .venv/bin/python benchmarks/ingest_versions.py [--base REVISION] [--rounds 40]

Ratios to the peer in `ingest.py` change with the machine and its load by more than most changes of
the code. This program therefore runs both versions in one run: their packages, with the same
requests, against the same stub of Kinesis, in turns of a twentieth of a second. Ratios are medians
over the rounds. It exits with 1 if a figure is more than 5% above the earlier version's.

The default base is the version of the first measurements (docs/decisions/0047). It has no snapshot
of the sources, which the cold start of the present version reads over a second connection.
"""

import argparse
import compileall
import json
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from benchmarks import versions  # noqa: E402 - needs the path above
from benchmarks.versions import Worker  # noqa: E402

TURN_S: Final = 0.05
_PACKAGES: Final = ("edge_ingest", "clickstream")

# In a process of its own, with nothing but the package on the path.
WORKER: Final = """
import json, os, sys, time
from edge_ingest.handler import lambda_handler
class Context:
    def get_remaining_time_in_millis(self):
        return 15_000
replies = os.fdopen(os.dup(1), "w", buffering=1)
sys.stdout = open(os.devnull, "w")
requests = json.load(open("requests.json"))
for line in sys.stdin:
    size, count = line.split()
    events = requests[size]
    before = time.process_time()
    for n in range(int(count)):
        if lambda_handler(events[n % len(events)], Context())["status"] != "200":
            sys.exit("the collector returned another status than 200")
    replies.write(f"{time.process_time() - before}\\n")
"""


def package_of(revision: str, directory: Path) -> Path:
    """Write the deployment package of an earlier version, with the same library."""
    from benchmarks import ingest

    written = directory / "base-sources"
    written.mkdir()
    sources = versions.sources_of(revision, written)
    package = directory / "base"
    shutil.copytree(directory / "collector" / "msgspec", package / "msgspec")
    for name in (*_PACKAGES, "edge_auth", "signed_snapshot"):
        if (sources / name).is_dir():
            shutil.copytree(sources / name, package / name)
    (package / "settings.json").write_text(json.dumps(ingest.SETTINGS))
    shutil.copy(directory / "collector" / "event.json", package / "event.json")
    compileall.compile_dir(package, quiet=1)
    return package


def main(base: str, rounds: int) -> int:
    """Print the ratios. Return 1 if one exceeds the limit."""
    from benchmarks import ingest
    from benchmarks.ingest_stub import Stub

    met = True
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        bodies = {size: ingest.bodies(size, 40) for size in ingest.SIZES}
        for size, prepared in bodies.items():
            (directory / f"{size}.json").write_text(json.dumps([it.decode() for it in prepared]))
        stub = Stub(directory)
        try:
            ingest.publish_sources(directory, stub.port)
            ingest.packages(directory)
            packages = {"present": directory / "collector", "base": package_of(base, directory)}
            requests = {
                size: [ingest.event_of(it) for it in prepared] for size, prepared in bodies.items()
            }
            for package in packages.values():
                (package / "requests.json").write_text(json.dumps(requests))
            environment = ingest.environment_of(directory, stub.port)
            print(f"CPU time per request, relative to the version {base}")
            for size, ratio in steady(packages, environment, rounds).items():
                met = versions.report(f"{size} events", ratio) and met
            met = (
                versions.report("cold start, 10 events", cold(directory, environment, rounds))
                and met
            )
        finally:
            stub.stop()
    return 0 if met else 1


def steady(packages: dict[str, Path], environment: dict[str, str], rounds: int) -> dict[int, float]:
    """Return the ratio of the CPU time per request, by events per request."""
    from benchmarks import ingest

    workers = {
        name: Worker(package, WORKER, environment, "-S") for name, package in packages.items()
    }

    def run(name: str, size: int, count: int) -> float:
        return float(workers[name].ask(f"{size} {count}"))

    ratios: dict[int, float] = {}
    try:
        for size in ingest.SIZES:
            for name in workers:
                run(name, size, 10)
            count = max(2, int(TURN_S / (run("base", size, 10) / 10)))
            turns: list[dict[str, float]] = []
            for n in range(rounds):
                order = sorted(workers, reverse=n % 2 == 0)
                turns.append({name: run(name, size, count) for name in order})
            ratios[size] = statistics.median(turn["present"] / turn["base"] for turn in turns)
    finally:
        for worker in workers.values():
            worker.stop()
    return ratios


def cold(directory: Path, environment: dict[str, str], rounds: int) -> float:
    """Return the ratio of the CPU time from process start to the first response.

    The time of the runtime's own imports is subtracted from both.
    """
    from benchmarks import ingest

    ratios: list[float] = []
    for _ in range(max(5, rounds // 2)):
        seconds = {
            name: ingest.cold_seconds(name, directory, environment)
            for name in ("baseline", "collector", "base")
        }
        ratios.append(
            (seconds["collector"] - seconds["baseline"]) / (seconds["base"] - seconds["baseline"])
        )
    return statistics.median(ratios)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", default=versions.FIRST_VERSION)
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()
    started = time.monotonic()
    code = main(options.base, options.rounds)
    print(f"{time.monotonic() - started:.0f} s")
    sys.exit(code)
