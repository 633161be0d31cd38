"""The law under drawn histories of faults; `make prove` draws 20,000 of them."""

import pytest

from tests.stream_processor.proof.machine import ChangesProof, EventsProof, Proof
from tests.stream_processor.proof.runs import RUNS, prove

# Several simulated processes share one Powertools: what one measured, another may have flushed.
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics to publish")


@pytest.mark.parametrize("machine", [EventsProof, ChangesProof])
def test_no_row_is_lost_and_none_is_there_twice(machine: type[Proof]) -> None:
    prove(machine, RUNS)
