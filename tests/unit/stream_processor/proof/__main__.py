"""`make prove`: check both handlers under 20,000 runs of faults, and check the check itself.

A quarter as many histories run the events handler with operators beside it, two mappings, changed
filters, parallel batches and clocks hours apart, and a sixteenth as many run it with two clusters
of Kafka. Every mutation of the writer must be detected.
"""

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
from tests.unit.stream_processor.proof.disruptions import DISRUPTIONS, KAFKA_DISRUPTIONS
from tests.unit.stream_processor.proof.kafka_mutations import KAFKA_MUTATIONS
from tests.unit.stream_processor.proof.mutations import EVENTS_MUTATIONS, MACHINE_MUTATIONS
from tests.unit.stream_processor.proof.worker import RUNS_PER_JOB, Result
from tools import progress

RUNS: Final = 20_000
#: Jobs of ten that run the events handler, which has more states than the changes handler.
EVENTS_JOBS_OF_TEN: Final = 7
#: One history with operators for so many runs of the state machine.
RUNS_PER_HISTORY: Final = 4
#: One history of Kafka for so many runs of the state machine.
RUNS_PER_KAFKA_HISTORY: Final = 16

FAULTS: Final = [
    *fault_plan.NAMES.values(),
    "overlapping timeouts",
    "invocations throttled",
    "checkpoint tables emptied",
    "batches discarded",
    "shards split",
    "shards merged",
    *dict.fromkeys([*DISRUPTIONS, *KAFKA_DISRUPTIONS]),
]


def main(arguments: list[str] | None = None) -> int:
    """Run the proof; return 1 after a violation or an undetected mutation."""
    parser = argparse.ArgumentParser(prog="prove", description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args(arguments)
    print(f"Set SEED={options.seed} to repeat these histories.", flush=True)
    started = time.monotonic()
    context = multiprocessing.get_context("spawn")
    jobs = max(1, options.runs // RUNS_PER_JOB)
    machines = [
        ("events" if number % 10 < EVENTS_JOBS_OF_TEN else "changes", options.seed * 1_000 + number)
        for number in range(jobs)
    ]
    first = options.seed * 1_000_000
    seeds = [(first + n * RUNS_PER_JOB,) for n in range(max(1, jobs // RUNS_PER_HISTORY))]
    kafka_seeds = seeds[: max(1, jobs // RUNS_PER_KAFKA_HISTORY)]
    counts: Counter[str] = Counter()
    with ProcessPoolExecutor(os.cpu_count(), context, initializer=worker.silence) as pool:
        breaches = _run(pool, "runs of both handlers", worker.run_machine, machines, counts)
        breaches += _run(pool, "histories with operators", worker.run_histories, seeds, counts)
        breaches += _run(
            pool, "histories of Kafka", worker.run_kafka_histories, kafka_seeds, counts
        )
        undetected = _run_mutations(pool, options.seed)
    print("\nfaults")
    for name in FAULTS:
        print(f"  {counts[name]:>9,}  {name}")
    print(
        f"\n{counts['runs']:,} runs, {counts['histories']:,} histories with operators and "
        f"{counts['Kafka histories']:,} of Kafka, "
        f"{sum(counts[it] for it in FAULTS):,} faults, {counts['records']:,} records, "
        f"{counts['rows']:,} rows, violations {len(breaches)}, {time.monotonic() - started:.0f} s"
    )
    return 1 if breaches or undetected else 0


def _run[*P](
    pool: Executor,
    title: str,
    job: Callable[[*P], Result],
    jobs: list[tuple[*P]],
    counts: Counter[str],
) -> list[str]:
    """Run jobs of `RUNS_PER_JOB` runs each; add to `counts`, and return the violations."""
    breaches: list[str] = []
    total = len(jobs) * RUNS_PER_JOB
    with progress.step(f"{total:,} {title}", total) as step:
        for job_arguments, (job_counts, breach) in _run_jobs(pool, job, jobs):
            counts.update(job_counts)
            if breach:
                breaches.append(breach)
                print(f"\n{job_arguments}\n{breach}", file=sys.stderr, flush=True)
            step.advance(RUNS_PER_JOB)
            step.note(f"violations {len(breaches)}")
    return breaches


def _run_mutations(pool: Executor, seed: int) -> list[str]:
    names = [*EVENTS_MUTATIONS, *KAFKA_MUTATIONS, *MACHINE_MUTATIONS]
    with progress.step("mutations of the writer", len(names)) as step:
        breaches = {}
        for (name, _), (_, breach) in _run_jobs(
            pool, worker.run_mutation, [(name, seed) for name in names]
        ):
            breaches[name] = breach
            step.advance()
    print("\nmutations of the writer, and the violation that detects each")
    for name in names:
        print(f"  {name.replace('_', ' '):<36} {breaches[name][:90] or 'NOT DETECTED'}")
    print(flush=True)
    return [name for name in names if not breaches[name]]


def _run_jobs[*P](
    pool: Executor, job: Callable[[*P], Result], jobs: list[tuple[*P]]
) -> Iterator[tuple[tuple[*P], Result]]:
    futures = {pool.submit(job, *job_arguments): job_arguments for job_arguments in jobs}
    for future in as_completed(futures):
        yield futures[future], future.result()


if __name__ == "__main__":
    sys.exit(main())
