"""`make prove`: check both handlers under 20,000 histories of faults, and check the check itself.

Every mutation of the writer and every alternative design must be detected. The design of the next
protocol, a numbered log (decision 0031), is run under disruptions of its own, with its breaks.
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
from tests.unit.stream_processor.proof.alternatives import ALTERNATIVES
from tests.unit.stream_processor.proof.mutations import CHANGES_MUTATIONS, EVENTS_MUTATIONS
from tests.unit.stream_processor.proof.numbered_log.breaks import BREAKS
from tests.unit.stream_processor.proof.numbered_log.disruptions import DISRUPTIONS
from tests.unit.stream_processor.proof.worker import RUNS_PER_JOB, Result
from tools import progress

RUNS: Final = 20_000
#: Jobs of ten that run the events handler, which has more states than the changes handler.
EVENTS_JOBS_OF_TEN: Final = 7

#: One history of the numbered log for so many of the handlers.
HISTORIES_PER_LOG_HISTORY: Final = 4

FAULTS: Final = [
    *fault_plan.NAMES.values(),
    "overlapping timeouts",
    "batches delivered twice at once",
    "invocations throttled",
    "mappings restarted from an older checkpoint",
    "mappings recreated at TRIM_HORIZON",
    "checkpoint tables emptied",
    "batches discarded",
    "shards split",
    "shards merged",
]


def main(arguments: list[str] | None = None) -> int:
    """Run the proof; return 1 after a violation or an undetected mutation or alternative."""
    parser = argparse.ArgumentParser(prog="prove", description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args(arguments)
    print(f"Set SEED={options.seed} to repeat these histories.", flush=True)
    started = time.monotonic()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), context, initializer=worker.silence) as pool:
        counts, breaches = _run_handlers(pool, max(1, options.runs // RUNS_PER_JOB), options.seed)
        undetected = _run_mutations(pool, options.seed)
        unbroken = _run_alternatives(pool, options.seed)
        jobs = max(1, options.runs // HISTORIES_PER_LOG_HISTORY // RUNS_PER_JOB)
        log_breaches = _run_numbered_log(pool, jobs, options.seed)
    print("\nfaults")
    for name in FAULTS:
        print(f"  {counts[name]:>9,}  {name}")
    print(
        f"\n{counts['runs']:,} runs of the writer, {sum(counts[f] for f in FAULTS):,} "
        f"faults, {counts['batches']:,} batches, {counts['records']:,} records, "
        f"{counts['rows']:,} rows, violations {len(breaches)}, "
        f"{time.monotonic() - started:.0f} s"
    )
    return 1 if breaches or undetected or unbroken or log_breaches else 0


def _run_handlers(pool: Executor, job_count: int, seed: int) -> tuple[Counter[str], list[str]]:
    counts: Counter[str] = Counter()
    breaches: list[str] = []
    jobs = [
        ("events" if number % 10 < EVENTS_JOBS_OF_TEN else "changes", seed * 1_000 + number)
        for number in range(job_count)
    ]
    with progress.step(f"{job_count * RUNS_PER_JOB:,} histories", job_count * RUNS_PER_JOB) as step:
        for job_arguments, (seeds, breach) in _run_jobs(pool, worker.run_histories, jobs):
            counts += seeds
            if breach:
                breaches.append(breach)
                print(f"\n{job_arguments}\n{breach}", file=sys.stderr, flush=True)
            step.advance(RUNS_PER_JOB)
            step.note(f"violations {len(breaches)}")
    return counts, breaches


def _run_mutations(pool: Executor, seed: int) -> list[str]:
    names = [*EVENTS_MUTATIONS, *CHANGES_MUTATIONS]
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


def _run_alternatives(pool: Executor, seed: int) -> list[str]:
    with progress.step("alternative designs", len(ALTERNATIVES)) as step:
        results = {}
        for (name, _), result in _run_jobs(
            pool, worker.run_alternative, [(name, seed) for name in ALTERNATIVES]
        ):
            results[name] = result
            step.advance()
    print(f"\n{'design':<27} {'runs':>5} {'with loss':>10} {'with duplicates':>16}  for example")
    for name in ALTERNATIVES:
        counts, example = results[name]
        lost, duplicated = counts["runs with loss"], counts["runs with duplicates"]
        print(f"{name:<27} {counts['runs']:>5} {lost:>10} {duplicated:>16}  {example[:70]}")
    return [name for name, (_, example) in results.items() if not example]


def _run_numbered_log(pool: Executor, job_count: int, seed: int) -> list[str]:
    """Run the design of decision 0031; return its breaches, and the breaks that none detected."""
    counts: Counter[str] = Counter()
    breaches: list[str] = []
    first = seed * 1_000_000
    starts = [(first + number * RUNS_PER_JOB,) for number in range(job_count)]
    total = job_count * RUNS_PER_JOB
    with progress.step(f"{total:,} histories of the numbered log", total) as step:
        for _, (job_counts, breach) in _run_jobs(pool, worker.run_log_histories, starts):
            counts += job_counts
            breaches += [breach] if breach else []
            step.advance(RUNS_PER_JOB)
            step.note(f"violations {len(breaches)}")
    names = [it.__name__ for it in BREAKS]
    violations: dict[str, str] = {}
    with progress.step("breaks of the numbered log", len(names)) as step:
        jobs = [(name, first) for name in names]
        for (name, _), (_, breach) in _run_jobs(pool, worker.run_log_break, jobs):
            violations[name] = breach
            step.advance()
    print("\nnumbered log: disruptions, and breaks with the violation that detects each")
    for name in DISRUPTIONS:
        print(f"  {counts[name]:>9,}  {name}")
    for name in names:
        print(f"  {name:<36} {violations[name][:90] or 'NOT DETECTED'}")
    for breach in breaches:
        print(f"  VIOLATION {breach}")
    print(f"{counts['histories']:,} histories, violations {len(breaches)}", flush=True)
    return breaches + [name for name in names if not violations[name]]


def _run_jobs[*P](
    pool: Executor, job: Callable[[*P], Result], jobs: list[tuple[*P]]
) -> Iterator[tuple[tuple[*P], Result]]:
    futures = {pool.submit(job, *job_arguments): job_arguments for job_arguments in jobs}
    for future in as_completed(futures):
        yield futures[future], future.result()


if __name__ == "__main__":
    sys.exit(main())
