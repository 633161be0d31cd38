"""The jobs that `make prove` runs in worker processes."""

import os
import sys
import traceback
import warnings
from collections import Counter
from typing import Final

import pyarrow as pa

from tests.unit.stream_processor.proof import runs
from tests.unit.stream_processor.proof.lake_checker import InvariantError
from tests.unit.stream_processor.proof.numbered_log.breaks import BREAKS
from tests.unit.stream_processor.proof.numbered_log.history import History
from tests.unit.stream_processor.proof.numbered_log.writer import NumberedLog
from tests.unit.stream_processor.proof.state_machine import Proof

#: Runs of one job with the real writer, and of each alternative design.
RUNS_PER_JOB: Final = 250
ALTERNATIVE_RUNS: Final = 500

#: The counts of a job, and the breach that ended it.
type Result = tuple[Counter[str], str]


def run_histories(handler: str, seed: int) -> Result:
    """Run the real writer; return the shortest history that breaks an invariant, if any."""
    machine = runs.handler_proof(handler)
    try:
        runs.prove(machine, RUNS_PER_JOB, start=seed)
    except Exception as error:  # noqa: BLE001 -- reported to the parent process
        return machine.counts, "".join(traceback.format_exception(error))
    return machine.counts, ""


def run_alternative(name: str, seed: int) -> Result:
    """Run an alternative design; return the counts and its first lost or duplicated row."""
    machine = runs.alternative_proof(name, "none")
    runs.prove(machine, ALTERNATIVE_RUNS, start=seed, shrink=False)
    return machine.counts, _first_breach(runs.alternative_proof(name, "rows"), seed)


def run_mutation(name: str, seed: int) -> Result:
    """Run a mutation until it is detected."""
    return Counter(), _first_breach(runs.mutation_proof(name), seed)


def run_log_histories(first: int) -> Result:
    """Run histories of the numbered log from the seed `first` on; stop at a breach."""
    counts: Counter[str] = Counter()
    for seed in range(first, first + RUNS_PER_JOB):
        if breach := _log_breach(seed, NumberedLog, counts):
            return counts, breach
    return counts, ""


def run_log_break(name: str, first: int) -> Result:
    """Run a break of the numbered log until it is detected."""
    counts: Counter[str] = Counter()
    (broken,) = [it for it in BREAKS if it.__name__ == name]
    for seed in range(first, first + runs.MAX_RUNS_TO_BREACH):
        if breach := _log_breach(seed, broken, counts):
            return counts, breach
    return counts, ""


def _log_breach(seed: int, writer: type[NumberedLog], counts: Counter[str]) -> str:
    try:
        History(seed, writer, counts).run()
    except InvariantError as error:
        return f"history {seed}: {error}"
    return ""


def _first_breach(machine: type[Proof], seed: int) -> str:
    try:
        runs.prove(machine, runs.MAX_RUNS_TO_BREACH, start=seed, shrink=False)
    except InvariantError as error:
        return str(error)
    return ""


def silence() -> None:
    """Use one Arrow thread per process, and discard the handlers' logs."""
    os.environ |= {
        "POWERTOOLS_METRICS_NAMESPACE": "meridian-test",
        "POWERTOOLS_SERVICE_NAME": "proof",
        "POWERTOOLS_TRACE_DISABLED": "true",
        "POWERTOOLS_LOG_LEVEL": "CRITICAL",
    }
    warnings.simplefilter("ignore")
    pa.set_cpu_count(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
