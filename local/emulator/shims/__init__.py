"""What MiniStack lacks, a file per gap. Each one says what would let us delete it."""

from types import ModuleType

from local.emulator.shims import (
    accepted_types,
    app_clients,
    bucket_properties,
    execution_delay,
    function_properties,
    function_runtime,
    function_versions,
    global_tables,
    kinesis_housekeeping,
    log_streams,
    mapping_properties,
    nested_attributes,
    nested_cleanup,
    nested_sam,
    outage,
    pseudo_parameters,
    sam_parameters,
    stream_encryption,
    stream_pollers,
    table_properties,
    token_endpoint,
    topic_encryption,
    update_delay,
    user_pool_attributes,
    weighted_aliases,
    worker_regions,
)

#: In the order in which they are put in: a nested template is transformed with its parameters.
_ORDER: tuple[ModuleType, ...] = (
    sam_parameters,
    pseudo_parameters,
    nested_sam,
    nested_attributes,
    nested_cleanup,
    accepted_types,
    table_properties,
    global_tables,
    bucket_properties,
    function_properties,
    mapping_properties,
    stream_encryption,
    topic_encryption,
    user_pool_attributes,
    app_clients,
    token_endpoint,
    function_runtime,
    function_versions,
    update_delay,
    log_streams,
    worker_regions,
    stream_pollers,
    kinesis_housekeeping,
    execution_delay,
    weighted_aliases,
    outage,
)

SHIMS: dict[str, ModuleType] = {module.__name__.rpartition(".")[2]: module for module in _ORDER}
