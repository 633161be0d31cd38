"""What an event costs on its way to the lake, beside two usual ways, in the same run.

    .venv/bin/python benchmarks/stream.py [--rounds 15]

Peers: Powertools' BatchProcessor with json and pyarrow's `Table.from_pylist`, as its documentation
shows it; and DuckDB's `read_json` to Parquet on one thread. All take the same invocation event of
Kinesis and write zstd Parquet. Ours also checks the law of conservation, finds duplicates and
counts the live minutes, which no peer does.

The events are the page views of the log that `make run` replays (see stream_input.py), the same in
each run: in packs of 100, in packs of 10, and one plain JSON record each. Each candidate is a
process with the environment that the template gives to the function. They take turns; a figure is
the least CPU time of all rounds, because whatever else the machine does can only add to it, and a
ratio is that of two such figures. Beside it stand the quarters of the rounds' own ratios. Prints
each ratio with its demand, and exits 1 where one is not met.
"""

import argparse
import hashlib
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from benchmarks.stream_candidate import CANDIDATES, Process  # noqa: E402 - the path is set above
from benchmarks.stream_input import invocation, views  # noqa: E402
from benchmarks.stream_package import cold_start, package_size  # noqa: E402
from tests.unit.stacks.test_templates import load  # noqa: E402

# Demand: CPU over the peer's.
POWERTOOLS = {"packs of 100": 0.25, "single": 0.28}
DUCKDB_DEMAND = 1.0
MEMORY_DEMAND = 0.40
FRESHNESS_DEMAND = 90.0
POLLING_SECONDS = 1.0
EVENTS = 10_000
SIZES = (1_000, 10_000, 60_000)

type Taken = dict[str, list[float]]


# --- measuring ----------------------------------------------------------------------------------
def environment() -> dict[str, str]:
    """That of the function, where it is the same in every deployment."""
    variables = load(ROOT / "stacks" / "stream.yaml")["Globals"]["Function"]["Environment"]
    fixed = {name: it for name, it in variables["Variables"].items() if isinstance(it, str)}
    return {**os.environ, **fixed, "AWS_REGION": "us-east-1", "POWERTOOLS_TRACE_DISABLED": "true"}


def rounds_of(processes: dict[str, Process], event: Path, rounds: int) -> Taken:
    """CPU seconds by candidate, a list in the order of the rounds."""
    for process in processes.values():
        process.measure(event)
    taken: Taken = {name: [] for name in processes}
    for _ in range(rounds):
        for name, process in processes.items():
            taken[name].append(process.measure(event))
    return taken


def ratio(taken: Taken, peer: str) -> float:
    """Ours over the peer's, each at its best."""
    return min(taken["ours"]) / min(taken[peer])


def spread(taken: Taken, peer: str) -> tuple[float, float]:
    """Between these is half of the rounds' own ratios."""
    each = [a / b for a, b in zip(taken["ours"], taken[peer], strict=True)]
    low, _, high = statistics.quantiles(each, n=4)
    return low, high


def peak(name: str, event: Path) -> float:
    """The highest memory of a process that does one invocation, in MiB."""
    process = Process(name, environment())
    process.measure(event)
    return process.end()


# --- printing -----------------------------------------------------------------------------------
class Report:
    """Prints figures, and counts the demands that are not met."""

    def __init__(self) -> None:
        self.failed = 0

    def show(
        self,
        figure: str,
        value: float,
        demand: float | None = None,
        between: tuple[float, float] | None = None,
    ) -> None:
        """Print one figure."""
        line = f"  {figure:<56}{value:8.3f}"
        if between is not None:
            line += f"   ({between[0]:.3f} to {between[1]:.3f})"
        if demand is not None:
            line += f"   demand {demand:.2f}   {'ok' if value <= demand else 'NOT MET'}"
            self.failed += value > demand
        print(line, flush=True)


def ratios(report: Report, events: dict[str, Path], rounds: int) -> None:
    """CPU beside the peers."""
    processes = {name: Process(name, environment()) for name in CANDIDATES}
    for kind, event in events.items():
        taken = rounds_of(processes, event, rounds)
        print(f"{kind}, {EVENTS:,} events")
        for name, values in taken.items():
            report.show(f"{name}: µs of CPU an event", min(values) * 1e6 / EVENTS)
        gated = DUCKDB_DEMAND if kind in POWERTOOLS else None
        for figure, peer, demand in (
            ("CPU over Powertools + json + from_pylist", "powertools", POWERTOOLS.get(kind)),
            ("CPU over DuckDB read_json to Parquet", "duckdb", gated),
            ("CPU over DuckDB without the requests' columns", "duckdb, events only", None),
        ):
            report.show(figure, ratio(taken, peer), demand, spread(taken, peer))
    for process in processes.values():
        process.end()


def growth(report: Report, events: Sequence[tuple[int, Path]]) -> float:
    """What an event costs as its batch grows; the CPU seconds of the largest."""
    process = Process("ours", environment())
    print("as the batch grows, packs of 100")
    for size, event in events:
        best = min(process.measure(event) for _ in range(5))
        report.show(f"ours: µs of CPU an event, {size:,} events", best * 1e6 / size)
    process.end()
    return best


def memory(report: Report, event: Path) -> None:
    """The highest memory."""
    peaks = {name: min(peak(name, event) for _ in range(2)) for name in ("ours", "powertools")}
    print(f"peak memory of a process, {SIZES[-1]:,} events")
    for name, mib in peaks.items():
        report.show(f"{name}: MiB", mib)
    over = peaks["ours"] / peaks["powertools"]
    report.show("memory over Powertools + json + from_pylist", over, MEMORY_DEMAND)


def package(report: Report, batch: float) -> None:
    """How large, how soon there, and how soon a row is; after `make build`."""
    print("the package")
    if (size_of := package_size()) is not None:
        report.show("zipped, MB", size_of[0] / 1e6)
        report.show("unzipped, MB (Lambda takes 250)", size_of[1] / 1e6)
    if (cold := cold_start()) is not None:
        report.show("cold start: CPU seconds", cold[0])
        report.show("cold start: wall seconds", cold[1])
        freshness(report, batch, cold[1])


def freshness(report: Report, batch: float, cold: float) -> None:
    """Seconds from an answered request to a row that Athena reads, at worst, without a backlog.

    "Lambda polls shards in your stream for records at a rate of once per second for each shard",
    and gathers for as long as the window, which begins when the invocation before has ended (How
    Lambda processes records from Amazon Kinesis Data Streams). A row is there once its object is:
    partitions are projected. The network's share of some ten calls to AWS is not in it.
    """
    template = load(ROOT / "stacks" / "stream.yaml")
    window = float(template["Parameters"]["EventsBatchingWindow"]["Default"])
    print("until a row can be asked for, at worst, with the template's settings")
    report.show("polling: seconds", POLLING_SECONDS)
    report.show("gathering: seconds", window)
    report.show("the batch before, of more than Lambda's 6 MB: seconds", batch)
    report.show("a cold start and such a batch: seconds", cold + batch)
    total = POLLING_SECONDS + window + batch + cold + batch
    report.show("all of it: seconds", total, FRESHNESS_DEMAND)


def main() -> int:
    """Measure and print; 1 where a demand is not met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args()
    report = Report()
    bodies = views()
    digest = hashlib.sha256(b"".join(bodies)).hexdigest()[:12]
    print(f"{len(bodies):,} real page views ({digest}), {datetime.now(UTC):%Y-%m-%d %H:%M} UTC")
    with tempfile.TemporaryDirectory() as folder:

        def written(size: int, kind: str) -> Path:
            path = Path(folder) / f"{size} {kind}.json"
            path.write_text(json.dumps(invocation(bodies, size, kind)))
            return path

        kinds = ("packs of 100", "packs of 10", "single")
        ratios(report, {kind: written(EVENTS, kind) for kind in kinds}, given.rounds)
        sizes = [(size, written(size, "packs of 100")) for size in SIZES]
        largest = growth(report, sizes)
        memory(report, sizes[-1][1])
    package(report, largest)
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
