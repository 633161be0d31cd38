"""The jobs that `make prove` runs in worker processes."""

import os
import sys
import traceback
import warnings
from collections import Counter
from typing import Final

import pyarrow as pa

from tests.unit.stream_processor.proof import runs
from tests.unit.stream_processor.proof.history import History
from tests.unit.stream_processor.proof.kafka_history import KafkaHistory
from tests.unit.stream_processor.proof.seeded_history import SeededHistory

#: Runs of one job.
RUNS_PER_JOB: Final = 250

#: The counts of a job, and the breach that ended it.
type Result = tuple[Counter[str], str]


def run_machine(handler: str, seed: int) -> Result:
    """Run the state machine; return the shortest run that breaks an invariant, if any."""
    machine = runs.handler_proof(handler)
    try:
        runs.prove(machine, RUNS_PER_JOB, start=seed)
    except Exception as error:  # noqa: BLE001 -- reported to the parent process
        return machine.counts, "".join(traceback.format_exception(error))
    return machine.counts, ""


def run_histories(first: int) -> Result:
    """Run histories from the seed `first` on; stop at a breach."""
    return _run_histories(first, History)


def run_kafka_histories(first: int) -> Result:
    """Run histories of Kafka from the seed `first` on; stop at a breach."""
    return _run_histories(first, KafkaHistory)


def _run_histories(first: int, kind: type[SeededHistory]) -> Result:
    counts: Counter[str] = Counter()
    for seed in range(first, first + RUNS_PER_JOB):
        if breach := runs.breach(seed, None, counts, kind):
            return counts, breach
    return counts, ""


def run_mutation(name: str, seed: int) -> Result:
    """Run a mutation until it is detected."""
    return Counter(), runs.mutation_breach(name, seed)


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
