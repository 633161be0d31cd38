"""What the processes of `make prove` do."""

import os
import sys
import traceback
import warnings
from collections import Counter
from typing import Final

import pyarrow as pa

from tests.unit.stream_processor.proof import runs
from tests.unit.stream_processor.proof.ledger import InvariantError
from tests.unit.stream_processor.proof.state_machine import Proof

#: Runs of one job on the real writer, and of each other design for the table.
CHUNK: Final = 250
OF_A_DESIGN: Final = 500

#: What a job counted, and the breach of the law that ended it.
type Result = tuple[Counter[str], str]


def chunk(door: str, seed: int) -> Result:
    """Some runs of the real writer; the shortest history that breaks the law, if one does."""
    machine = runs.real(door)
    try:
        runs.prove(machine, CHUNK, start=seed)
    except Exception as error:  # noqa: BLE001 -- whatever it is, it is told
        return machine.counted, "".join(traceback.format_exception(error))
    return machine.counted, ""


def other(name: str, seed: int) -> Result:
    """Some runs of another design, counted; and the first of what it lost or doubled."""
    machine = runs.design(name, "none")
    runs.prove(machine, OF_A_DESIGN, start=seed, shrink=False)
    return machine.counted, _breach(runs.design(name, "rows"), seed)


def broken(name: str, seed: int) -> Result:
    """A broken writer, until it is found out."""
    return Counter(), _breach(runs.wrong(name), seed)


def _breach(machine: type[Proof], seed: int) -> str:
    try:
        runs.prove(machine, runs.FOUND_WITHIN, start=seed, shrink=False)
    except InvariantError as error:
        return str(error)
    return ""


def quiet() -> None:
    """One thread of Arrow's per process, and nothing of what the handlers say."""
    os.environ |= {
        "POWERTOOLS_METRICS_NAMESPACE": "meridian-test",
        "POWERTOOLS_SERVICE_NAME": "proof",
        "POWERTOOLS_TRACE_DISABLED": "true",
        "POWERTOOLS_LOG_LEVEL": "CRITICAL",
    }
    warnings.simplefilter("ignore")
    pa.set_cpu_count(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
