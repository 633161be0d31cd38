"""Measure the CPU per event of the stream processor, next to two common alternatives.

    .venv/bin/python benchmarks/stream.py [--rounds 15]

Peers: Powertools' BatchProcessor with json and pyarrow's `Table.from_pylist`, as its documentation
shows it; and DuckDB's `read_json` to Parquet on one thread. All take the same invocation event of
Kinesis and write zstd Parquet. Ours also checks the row counts, finds duplicates and updates live
counters, which the peers don't.

The events are the page views of the log that `make run` replays (see stream_input.py), the same in
every run: in packs of 100, in packs of 10, and one plain JSON record each. Each candidate runs in a
process with the function's environment variables. The candidates take turns. A figure is the
minimum CPU time of all rounds, because other processes can only add to it; a ratio compares two
minima, with the quartiles of the per-round ratios in brackets. Prints the limits of those figures
that have one, and exits with code 1 if a figure exceeds its limit (docs/decisions/0057).
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
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from benchmarks.stream_candidate import CANDIDATES, Process  # noqa: E402 - the path is set above
from benchmarks.stream_input import invocation, views  # noqa: E402
from benchmarks.stream_package import cold_start, package_size  # noqa: E402
from tests.unit.stacks.test_templates import load  # noqa: E402

# Limit: CPU over the peer's. The ratios to the other peers have none, because they depend on the
# machine: stream_versions.py compares the CPU time with that of the first version.
DUCKDB_EVENTS_DEMANDS: Final = {"packs of 100": 0.9, "single": 0.9}
MEMORY_DEMAND: Final = 0.35
FRESHNESS_DEMAND_S: Final = 90.0
POLLING_S: Final = 1.0
EVENTS: Final = 10_000
SIZES: Final = (1_000, 10_000, 60_000)

type Taken = dict[str, list[float]]


# --- measuring ----------------------------------------------------------------------------------
def environment() -> dict[str, str]:
    """Return the function's environment variables that are the same in every deployment."""
    variables = load(ROOT / "stacks" / "stream.yaml")["Globals"]["Function"]["Environment"]
    fixed = {name: it for name, it in variables["Variables"].items() if isinstance(it, str)}
    return {**os.environ, **fixed, "AWS_REGION": "us-east-1", "POWERTOOLS_TRACE_DISABLED": "true"}


def rounds_of(processes: dict[str, Process], event: Path, rounds: int) -> Taken:
    """Return the CPU seconds of each round by candidate."""
    for process in processes.values():
        process.measure(event)
    taken: Taken = {name: [] for name in processes}
    for _ in range(rounds):
        for name, process in processes.items():
            taken[name].append(process.measure(event))
    return taken


def ratio(taken: Taken, peer: str) -> float:
    """Return the minimum of ours divided by the minimum of the peer's."""
    return min(taken["ours"]) / min(taken[peer])


def spread(taken: Taken, peer: str) -> tuple[float, float]:
    """Return the first and third quartile of the per-round ratios."""
    each = [a / b for a, b in zip(taken["ours"], taken[peer], strict=True)]
    low, _, high = statistics.quantiles(each, n=4)
    return low, high


def peak(name: str, event: Path) -> float:
    """Return the peak memory in MiB of a process that handles one invocation."""
    process = Process(name, environment())
    process.measure(event)
    return process.end()


# --- printing -----------------------------------------------------------------------------------
class Report:
    """Print figures and count those that exceed their limit."""

    def __init__(self) -> None:
        self.failed = 0

    def show(
        self,
        figure: str,
        value: float,
        limit: float | None = None,
        between: tuple[float, float] | None = None,
    ) -> None:
        """Print one figure."""
        line = f"  {figure:<56}{value:8.3f}"
        if between is not None:
            line += f"   ({between[0]:.3f} to {between[1]:.3f})"
        if limit is not None:
            line += f"   limit {limit:.3f}   {'ok' if value <= limit else 'NOT MET'}"
            self.failed += value > limit
        print(line, flush=True)


def ratios(report: Report, events: dict[str, Path], rounds: int) -> None:
    """Print the CPU time per event and the ratios to the peers."""
    processes = {name: Process(name, environment()) for name in CANDIDATES}
    for kind, event in events.items():
        taken = rounds_of(processes, event, rounds)
        print(f"{kind}, {EVENTS:,} events")
        for name, values in taken.items():
            report.show(f"{name}: µs of CPU an event", min(values) * 1e6 / EVENTS)
        for figure, peer, limit in (
            ("CPU over Powertools + json + from_pylist", "powertools", None),
            ("CPU over DuckDB read_json to Parquet", "duckdb", None),
            (
                "CPU over DuckDB without the requests' columns",
                "duckdb, events only",
                DUCKDB_EVENTS_DEMANDS.get(kind),
            ),
        ):
            report.show(figure, ratio(taken, peer), limit, spread(taken, peer))
    for process in processes.values():
        process.end()


def growth(report: Report, events: Sequence[tuple[int, Path]]) -> float:
    """Print the CPU time per event by batch size; return the CPU seconds of the largest batch."""
    process = Process("ours", environment())
    print("as the batch grows, packs of 100")
    for size, event in events:
        best = min(process.measure(event) for _ in range(5))
        report.show(f"ours: µs of CPU an event, {size:,} events", best * 1e6 / size)
    process.end()
    return best


def memory(report: Report, event: Path) -> None:
    """Print the peak memory and its ratio to the peer's."""
    peaks = {name: min(peak(name, event) for _ in range(2)) for name in ("ours", "powertools")}
    print(f"peak memory of a process, {SIZES[-1]:,} events")
    for name, mib in peaks.items():
        report.show(f"{name}: MiB", mib)
    over = peaks["ours"] / peaks["powertools"]
    report.show("memory over Powertools + json + from_pylist", over, MEMORY_DEMAND)


def package(report: Report, batch: float) -> None:
    """Print package size, cold start and freshness; needs `make build`."""
    print("the package")
    if (size_of := package_size()) is not None:
        report.show("zipped, MB", size_of[0] / 1e6)
        report.show("unzipped, MB (Lambda takes 250)", size_of[1] / 1e6)
    if (cold := cold_start()) is not None:
        report.show("cold start: CPU seconds", cold[0])
        report.show("cold start: wall seconds", cold[1])
        freshness(report, batch, cold[1])


def freshness(report: Report, batch: float, cold: float) -> None:
    """Print the maximum seconds from a response to a row that Athena reads, without a backlog.

    "Lambda polls shards in your stream for records at a rate of once per second for each shard",
    and the batching window starts after the previous invocation ("How Lambda processes records from
    Amazon Kinesis Data Streams"). A row is visible once its object exists, because partitions are
    projected. The network time of about ten AWS calls isn't included.
    """
    template = load(ROOT / "stacks" / "stream.yaml")
    window = float(template["Parameters"]["EventsBatchingWindow"]["Default"])
    print("maximum delay until a row is visible, with the template's settings")
    report.show("polling: seconds", POLLING_S)
    report.show("batching window: seconds", window)
    report.show("previous batch, larger than Lambda's 6 MB: seconds", batch)
    report.show("cold start and such a batch: seconds", cold + batch)
    total = POLLING_S + window + batch + cold + batch
    report.show("total: seconds", total, FRESHNESS_DEMAND_S)


def main() -> int:
    """Measure and print. Returns 1 if a ratio exceeds its limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
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
        ratios(report, {kind: written(EVENTS, kind) for kind in kinds}, options.rounds)
        sizes = [(size, written(size, "packs of 100")) for size in SIZES]
        largest = growth(report, sizes)
        memory(report, sizes[-1][1])
    package(report, largest)
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
