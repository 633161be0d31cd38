"""What an event costs on its way to the lake, beside two usual ways, in the same run.

    .venv/bin/python benchmarks/stream.py [--rounds 7]

Peers: Powertools' BatchProcessor with json and pyarrow's `Table.from_pylist`, as its documentation
shows it; and DuckDB's `read_json` to Parquet on one thread. All take the same invocation event of
Kinesis and write zstd Parquet. Ours also checks the law of conservation, finds duplicates and
counts the live minutes, which no peer does.

The events are the page views of the log that `make run` replays (see local/replay/source.py), in
packs of 100, in packs of 10, and one plain JSON record each. CPU time is that of the process;
candidates take turns, and a ratio is the median of the ratios of its rounds, so that a slow minute
slows both. Prints each figure with its demand, and exits 1 where one is not met.
"""

import argparse
import base64
import gc
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

LAMBDA_PYTHON = ROOT / ".venv-lambda" / "bin" / "python"
BUILT = ROOT / ".aws-sam" / "build"
# Demand: CPU over the peer's.
POWERTOOLS = {"packs of 100": 0.25, "single": 0.28}
DUCKDB_DEMAND = 1.0
MEMORY_DEMAND = 0.40
SIZES = (1_000, 10_000, 60_000)

from benchmarks.stream_peers import (  # noqa: E402 - the path is set above
    Candidate,
    Event,
    duckdb_events,
    duckdb_json,
    powertools,
)


# --- what comes in ------------------------------------------------------------------------------
def views() -> list[bytes]:
    """The real page views, as the collector puts them on the stream: their JSON."""
    from local.replay import source
    from local.replay.command import page_views

    return [view.body.encode() for view in page_views(source.find(), Counter())]


def times_over(bodies: list[bytes], count: int) -> Iterator[tuple[str, bytes]]:
    """`count` events with ids of their own; the log comes round again where it is too short."""
    for number in range(count):
        body = bodies[number % len(bodies)]
        yield f"{number:032x}", body


def invocation(bodies: list[bytes], count: int, kind: str) -> Event:
    """An invocation event of Kinesis that holds `count` events."""
    import msgspec

    import clickstream

    at = "2026-11-21T11:00:00.123Z"
    events = list(times_over(bodies, count))
    if kind == "single":
        records = [
            body.replace(b'"messageId":"', b'"messageId":"' + message_id.encode(), 1)
            for message_id, body in events
        ]
    else:
        size = int(kind.rpartition(" ")[2])
        records = []
        for start in range(0, count, size):
            header = clickstream.Header(
                request_id=f"request-{start}",
                received_at=at,
                sent_at=at,
                source="portal",
                stream_region="us-east-1",
                edge_region="us-east-1",
                ip="192.0.2.0",
                user_agent="Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
                country="GB",
                region="ENG",
                city="London",
                time_zone="Europe/London",
                device="desktop",
            )
            accepted = [
                clickstream.Accepted(
                    i=place,
                    message_id=message_id,
                    message_id_source="client",
                    timestamp=at,
                    original_timestamp=at,
                    event=msgspec.Raw(body),
                )
                for place, (message_id, body) in enumerate(events[start : start + size])
            ]
            records += clickstream.encode(header, accepted, [])
    return {
        "Records": [
            {
                "kinesis": {
                    "kinesisSchemaVersion": "1.0",
                    "partitionKey": "0" * 32,
                    "sequenceNumber": str(10**55 + n),
                    "data": base64.b64encode(data).decode(),
                    "approximateArrivalTimestamp": 1_795_258_800.0,
                },
                "eventSource": "aws:kinesis",
                "eventVersion": "1.0",
                "eventID": f"shardId-000000000000:{10**55 + n}",
                "eventName": "aws:kinesis:record",
                "awsRegion": "us-east-1",
                "eventSourceARN": "arn:aws:kinesis:us-east-1:000000000000:stream/bench",
            }
            for n, data in enumerate(records)
        ]
    }


# --- the candidates: an invocation event to Parquet; they return its size ------------------------
def ours() -> Candidate:
    """The door as it runs in the function, up to the bytes that it would PUT."""
    from stream_processor import events, source
    from stream_processor.settings import Settings

    names = ("lake", "failures", "checkpoints", "live", "appointments", "us-east-1", "bench")
    limits = Settings(*names)

    def run(event: Event) -> int:
        (batch,) = source.packets(event)
        rest, size = batch.records, 0
        while rest:
            draft = events.draft(limits, batch.shard, rest, None, frozenset())
            size += len(draft.body)
            rest = rest[draft.summary.records :]
        return size

    return run


CANDIDATES: dict[str, Callable[[], Candidate]] = {
    "ours": ours,
    "powertools": powertools,
    "duckdb": duckdb_json,
    "duckdb, events only": duckdb_events,
}


# --- measuring ----------------------------------------------------------------------------------
def cpu(candidate: Candidate, event: Event) -> float:
    """CPU seconds of one invocation."""
    gc.collect()
    started = time.process_time()
    candidate(event)
    return time.process_time() - started


def rounds_of(
    candidates: dict[str, Candidate], event: Event, rounds: int
) -> dict[str, list[float]]:
    """CPU seconds by candidate, a list in the order of the rounds."""
    taken: dict[str, list[float]] = {name: [] for name in candidates}
    for candidate in candidates.values():
        candidate(event)
    for _ in range(rounds):
        for name, candidate in candidates.items():
            taken[name].append(cpu(candidate, event))
    return taken


def ratio(taken: dict[str, list[float]], peer: str) -> float:
    """Ours over the peer's: the median of the rounds' own ratios."""
    return statistics.median(a / b for a, b in zip(taken["ours"], taken[peer], strict=True))


def peak(name: str, path: Path) -> float:
    """The highest memory of a process that does one invocation, in MiB."""
    command = [sys.executable, __file__, "--peak", name, str(path)]
    # The function's own setting, from its template; the peer has Arrow's default.
    ours_only = {"ARROW_DEFAULT_MEMORY_POOL": "system"} if name == "ours" else {}
    environment = {**os.environ, **ours_only}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return float(done.stdout)


def _peak(name: str, path: str) -> None:
    candidate = CANDIDATES[name]()
    candidate(json.loads(Path(path).read_bytes()))
    # Not ru_maxrss: a new process takes that of its parent over.
    status = Path("/proc/self/status").read_text()
    print(int(status.partition("VmHWM:")[2].split()[0]) / 1024)


def cold_start() -> tuple[float, float] | None:
    """CPU and wall seconds of the built package's import and first call, without AWS."""
    found = [path for path in BUILT.rglob("EventsFunction") if path.is_dir()]
    if not found or not LAMBDA_PYTHON.exists():
        return None
    program = (
        "import sys, time; sys.path.insert(0, sys.argv[1])\n"
        "from stream_processor import dynamodb, events, s3, telemetry\n"
        "s3.client(); dynamodb.client(); telemetry.instrumented(lambda e, c: e)\n"
        "telemetry._tracer(); telemetry._metrics(); telemetry._logger()\n"
        "print(time.process_time())"
    )
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    best: list[tuple[float, float]] = []
    for _ in range(3):
        started = time.perf_counter()
        done = subprocess.run(
            [str(LAMBDA_PYTHON), "-I", "-c", program, str(found[0])],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        best.append((float(done.stdout), time.perf_counter() - started))
    return min(best)


def package_size() -> tuple[int, int] | None:
    """Bytes of the built package, zipped and not."""
    found = [path for path in BUILT.rglob("EventsFunction") if path.is_dir()]
    if not found:
        return None
    files = [path for path in found[0].rglob("*") if path.is_file()]
    with tempfile.TemporaryFile() as target:
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in files:
                archive.write(path, path.relative_to(found[0]))
        return target.tell(), sum(path.stat().st_size for path in files)


def main() -> int:
    """Measure and print; 1 where a demand is not met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--peak", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.peak:
        _peak(*given.peak)
        return 0

    failed = 0

    def show(figure: str, value: float, demand: float | None) -> None:
        nonlocal failed
        met = "" if demand is None else f"   demand {demand:.2f}   "
        if demand is not None:
            met += "ok" if value <= demand else "NOT MET"
            failed += value > demand
        print(f"  {figure:<56}{value:8.3f}{met}")

    bodies = views()
    digest = hashlib.sha256(b"".join(bodies)).hexdigest()[:12]
    print(f"{len(bodies):,} real page views ({digest}), {datetime.now(UTC):%Y-%m-%d %H:%M} UTC")
    candidates = {name: make() for name, make in CANDIDATES.items()}
    for kind in ("packs of 100", "packs of 10", "single"):
        event = invocation(bodies, 10_000, kind)
        taken = rounds_of(candidates, event, given.rounds)
        print(f"{kind}, 10,000 events")
        for name, values in taken.items():
            show(f"{name}: µs of CPU an event, best", min(values) * 100, None)
        show(
            "CPU over Powertools + json + from_pylist",
            ratio(taken, "powertools"),
            POWERTOOLS.get(kind),
        )
        duckdb_demand = DUCKDB_DEMAND if kind in POWERTOOLS else None
        show("CPU over DuckDB read_json to Parquet", ratio(taken, "duckdb"), duckdb_demand)
        show(
            "CPU over DuckDB without the requests' columns",
            ratio(taken, "duckdb, events only"),
            None,
        )

    print("as the batch grows, packs of 100")
    for size in SIZES:
        event = invocation(bodies, size, "packs of 100")
        best = min(cpu(candidates["ours"], event) for _ in range(3))
        show(f"ours: µs of CPU an event, {size:,} events", best * 1e6 / size, None)

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "event.json"
        path.write_text(json.dumps(invocation(bodies, 60_000, "packs of 100")))
        peaks = {name: min(peak(name, path) for _ in range(2)) for name in ("ours", "powertools")}
    print("peak memory of a process, 60,000 events")
    for name, mib in peaks.items():
        show(f"{name}: MiB", mib, None)
    show(
        "memory over Powertools + json + from_pylist",
        peaks["ours"] / peaks["powertools"],
        MEMORY_DEMAND,
    )

    print("the package")
    if (size_of := package_size()) is not None:
        show("zipped, MB", size_of[0] / 1e6, None)
        show("unzipped, MB (Lambda takes 250)", size_of[1] / 1e6, None)
    if (cold := cold_start()) is not None:
        show("cold start: CPU seconds", cold[0], None)
        show("cold start: wall seconds", cold[1], None)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
