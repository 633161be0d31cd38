"""An event source mapping in memory, a handler, and everything that AWS allows to go wrong.

`aws_emulator.event_sources.shard` and `aws_emulator.event_sources.rules` cut, retry, split, discard
and checkpoint the batches: the same code that the event source mappings of the local run use.
A test moves `EventSource` step by step (the proof of
`tests/unit/stream_processor/proof`, under Hypothesis), `Simulator` moves one by a seed.
"""

from aws_emulator.simulator.faults import Faults, PointFault
from aws_emulator.simulator.report import CallLog, DiscardLog, Report, SimulatedShard
from aws_emulator.simulator.samples import dynamodb_records, kinesis_records, mapping
from aws_emulator.simulator.scheduler import Simulator, StuckError
from aws_emulator.simulator.simulated_mapping import Call, ShardReader, SimulatedMapping
from aws_emulator.simulator.tasks import Crash, Task, fault_point

__all__ = [
    "Call",
    "CallLog",
    "Crash",
    "DiscardLog",
    "Faults",
    "PointFault",
    "Report",
    "ShardReader",
    "SimulatedMapping",
    "SimulatedShard",
    "Simulator",
    "StuckError",
    "Task",
    "dynamodb_records",
    "fault_point",
    "kinesis_records",
    "mapping",
]
