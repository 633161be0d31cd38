"""An event source mapping in memory, a handler, and everything that AWS allows to go wrong.

The batches are cut, retried, split, dropped and checkpointed by `local.poller.shard` and
`local.poller.rules`, where each rule of AWS stands with its page: the very code that the poller of
the local run uses. `EventSource` is moved step by step by whoever tests (the proof of
`tests/stream_processor/proof`, under Hypothesis), `Simulator` moves one by a seed.
"""

from tests.simulator.faults import Faults, PointFault
from tests.simulator.report import CallLog, DiscardLog, Report, SimulatedShard
from tests.simulator.samples import dynamodb_records, kinesis_records, mapping
from tests.simulator.scheduler import Simulator, StuckError
from tests.simulator.source import Call, EventSource, Reader
from tests.simulator.tasks import Crash, Task, fault_point

__all__ = [
    "Call",
    "CallLog",
    "Crash",
    "DiscardLog",
    "EventSource",
    "Faults",
    "PointFault",
    "Reader",
    "Report",
    "SimulatedShard",
    "Simulator",
    "StuckError",
    "Task",
    "dynamodb_records",
    "fault_point",
    "kinesis_records",
    "mapping",
]
