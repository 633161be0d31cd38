"""`make prove`: 20,000 histories of faults against both doors, and the writers that break."""

import argparse
import multiprocessing
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from typing import Final

from tests.unit.stream_processor.proof import fault_plan, worker
from tests.unit.stream_processor.proof.alternatives import ALTERNATIVES
from tests.unit.stream_processor.proof.mutations import CHANGES_MUTATIONS, EVENTS_MUTATIONS
from tests.unit.stream_processor.proof.worker import CHUNK, Result
from tools import progress

RUNS: Final = 20_000
#: Of ten jobs, how many are of the first door: it has more to go wrong.
OF_EVENTS: Final = 7

FAULTS: Final = [
    *fault_plan.NAMES.values(),
    "time-outs that overlap",
    "batches delivered twice at once",
    "invocations throttled",
    "mappings gone back",
    "mappings at TRIM_HORIZON",
    "high-water rows lost",
    "batches given up",
    "shards split",
    "shards merged",
]


def main(arguments: list[str] | None = None) -> int:
    """Prove. 1 where the law was broken, or where a wrong writer was not found out."""
    parser = argparse.ArgumentParser(prog="prove", description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    given = parser.parse_args(arguments)
    print(f"SEED={given.seed} repeats these histories", flush=True)
    started = time.monotonic()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), context, initializer=worker.quiet) as pool:
        counted, breaches = _real(pool, max(1, given.runs // CHUNK), given.seed)
        unnoticed = _wrong(pool, given.seed)
        survived = _others(pool, given.seed)
    print("\nfaults")
    for name in FAULTS:
        print(f"  {counted[name]:>9,}  {name}")
    print(
        f"\n{counted['runs']:,} runs of the chained writer, {sum(counted[f] for f in FAULTS):,} "
        f"faults, {counted['batches']:,} batches, {counted['records']:,} records, "
        f"{counted['rows']:,} rows, violations {len(breaches)}, "
        f"{time.monotonic() - started:.0f} s"
    )
    return 1 if breaches or unnoticed or survived else 0


def _real(pool: Executor, chunks: int, seed: int) -> tuple[Counter[str], list[str]]:
    counted: Counter[str] = Counter()
    breaches: list[str] = []
    places = [
        ("events" if place % 10 < OF_EVENTS else "changes", seed * 1_000 + place)
        for place in range(chunks)
    ]
    with progress.step(f"{chunks * CHUNK:,} histories", chunks * CHUNK) as step:
        for place, (found, breach) in _all(pool, worker.chunk, places):
            counted += found
            if breach:
                breaches.append(breach)
                print(f"\n{place}\n{breach}", file=sys.stderr, flush=True)
            step.advance(CHUNK)
            step.note(f"violations {len(breaches)}")
    return counted, breaches


def _wrong(pool: Executor, seed: int) -> list[str]:
    names = [*EVENTS_MUTATIONS, *CHANGES_MUTATIONS]
    with progress.step("the writer broken in one place", len(names)) as step:
        found = {}
        for (name, _), (_, breach) in _all(pool, worker.broken, [(name, seed) for name in names]):
            found[name] = breach
            step.advance()
    print("\nthe real writer, broken in one place, and what the proof says to it")
    for name in names:
        print(f"  {name.replace('_', ' '):<36} {found[name][:90] or 'NOT FOUND OUT'}")
    print(flush=True)
    return [name for name in names if not found[name]]


def _others(pool: Executor, seed: int) -> list[str]:
    with progress.step("the other designs", len(ALTERNATIVES)) as step:
        results = {}
        for (name, _), result in _all(pool, worker.other, [(name, seed) for name in ALTERNATIVES]):
            results[name] = result
            step.advance()
    print(f"\n{'design':<27} {'runs':>5} {'with loss':>10} {'with duplicates':>16}  for example")
    for name in ALTERNATIVES:
        counted, example = results[name]
        lost, twice = counted["runs with loss"], counted["runs with duplicates"]
        print(f"{name:<27} {counted['runs']:>5} {lost:>10} {twice:>16}  {example[:70]}")
    return [name for name, (_, example) in results.items() if not example]


def _all[*P](
    pool: Executor, job: Callable[[*P], Result], places: list[tuple[*P]]
) -> Iterator[tuple[tuple[*P], Result]]:
    futures = {pool.submit(job, *place): place for place in places}
    for future in as_completed(futures):
        yield futures[future], future.result()


if __name__ == "__main__":
    sys.exit(main())
