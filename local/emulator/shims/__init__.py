"""What MiniStack lacks, a file per gap. Each one says what would let us delete it."""

from types import ModuleType

from local.emulator.shims import (
    accepted_types,
    execution_delay,
    function_runtime,
    global_tables,
    kinesis_housekeeping,
    nested_attributes,
    nested_sam,
    outage,
    sam_parameters,
    stream_pollers,
    table_properties,
    weighted_aliases,
    worker_regions,
)

#: In the order in which they are put in: a nested template is transformed with its parameters.
_ORDER: tuple[ModuleType, ...] = (
    sam_parameters,
    nested_sam,
    nested_attributes,
    accepted_types,
    table_properties,
    global_tables,
    function_runtime,
    worker_regions,
    stream_pollers,
    kinesis_housekeeping,
    execution_delay,
    weighted_aliases,
    outage,
)

SHIMS: dict[str, ModuleType] = {module.__name__.rpartition(".")[2]: module for module in _ORDER}
