"""Benchmark: the stream processor's CPU time against that of an earlier version, in turns.

    .venv/bin/python benchmarks/stream_versions.py [--base REVISION] [--rounds 40]

Ratios to the peers in `stream.py` change with the machine and its load by more than most changes of
the code. This program therefore runs both versions in one run: their sources, with the same
invocation events and libraries, in turns of one invocation with 10,000 events. A ratio is the
median over the rounds. It exits with 1 if a figure is more than 5% above the earlier version's, or
if the versions don't write the same number of good rows.

The default base is the version of the first measurements. It did less: it had neither the newest
verdicts of each source nor `object_id`, and it didn't check the encoded object again.
"""

import argparse
import json
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

EVENTS: Final = 10_000
KINDS: Final = ("packs of 100", "packs of 10", "single")

# In a process of its own, with nothing but one version's sources on the path. Each line names the
# file of an invocation event; the reply has the CPU seconds and the number of good rows.
WORKER: Final = """
import gc, io, json, sys, time
from pathlib import Path
import pyarrow.parquet as pq
from stream_processor.settings import Settings
limits = Settings("lake", "failures", "checkpoints", "live", "appointments", "us-east-1", "bench")
try:
    from stream_processor.commit import event_objects
    from stream_processor.ingest import invocation
    batches = invocation.stream_batches
    def build(shard, records):
        pending = event_objects.build(limits, shard, records, None, frozenset())
        return pending.taken, pending.body
except ImportError:
    from stream_processor import events, source
    batches = source.packets
    def build(shard, records):
        draft = events.draft(limits, shard, records, None, frozenset())
        return draft.summary.records, draft.body
def run(event):
    (batch,) = batches(event)
    rest, bodies = batch.records, []
    while rest:
        taken, body = build(batch.shard, rest)
        bodies.append(body)
        rest = rest[taken:]
    return bodies
path = None
for line in sys.stdin:
    if line.strip() != path:
        path = line.strip()
        event = json.loads(Path(path).read_bytes())
    gc.collect()
    before = time.process_time()
    bodies = run(event)
    seconds = time.process_time() - before
    tables = [pq.read_table(io.BytesIO(body), columns=["verdict"]) for body in bodies]
    good = sum(table.column("verdict").to_pylist().count("good") for table in tables)
    print(json.dumps([seconds, good]), flush=True)
"""


def compare(present: Worker, base: Worker, event: Path, rounds: int) -> tuple[float, bool]:
    """Return the median ratio of the CPU times, and whether both wrote `EVENTS` good rows."""
    ratios: list[float] = []
    rows = {EVENTS}
    for n in range(rounds + 2):
        taken: dict[Worker, float] = {}
        for worker in (present, base) if n % 2 else (base, present):
            taken[worker], good = json.loads(worker.ask(str(event)))
            rows.add(good)
        ratios.append(taken[present] / taken[base])
    # The first two rounds load libraries and fill caches.
    return statistics.median(ratios[2:]), rows == {EVENTS}


def main(base: str, rounds: int) -> int:
    """Print the ratios. Return 1 if one exceeds the limit."""
    from benchmarks import stream
    from benchmarks.stream_input import invocation, views

    met = True
    bodies = views()
    print(f"CPU time per invocation of {EVENTS:,} events, relative to the version {base}")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        environment = {**stream.environment(), "POWERTOOLS_METRICS_DISABLED": "true"}
        environment["POWERTOOLS_SERVICE_NAME"] = "events"
        workers = [
            Worker(sources, WORKER, environment)
            for sources in (ROOT / "src", versions.sources_of(base, directory))
        ]
        for kind in KINDS:
            event = directory / f"{kind}.json"
            event.write_text(json.dumps(invocation(bodies, EVENTS, kind)))
            ratio, same = compare(workers[0], workers[1], event, rounds)
            met = versions.report(kind, ratio) and same and met
            if not same:
                print("  the versions wrote another number of good rows than events")
        for worker in workers:
            worker.stop()
    return 0 if met else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", default=versions.FIRST_VERSION)
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()
    started = time.monotonic()
    code = main(options.base, options.rounds)
    print(f"{time.monotonic() - started:.0f} s")
    sys.exit(code)
