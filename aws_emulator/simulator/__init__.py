"""A fault simulator for stream handlers: an in-memory event source mapping that injects faults.

Batches are cut, retried, bisected, discarded and checkpointed by
`aws_emulator.event_sources.shard_processor`, the code that also runs real mappings. `Simulator`
runs a handler by a seed. `SimulatedMapping` is moved step by step by the test, for example under
Hypothesis. aws_emulator/event_sources/README.md has an example.
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
