"""Patches of MiniStack, one file per gap. README.md lists them and shows how to add one."""

from types import ModuleType
from typing import Final

from aws_emulator.ministack.patches import (
    accepted_properties,
    accepted_types,
    bucket_properties,
    custom_resource_failures,
    distributed_map,
    event_source_mapping_properties,
    execution_environments,
    execution_redrive,
    execution_start_delay,
    express_executions,
    fault_injection,
    fifo_queues,
    function_files,
    function_properties,
    function_runtime,
    function_starts,
    function_update_delay,
    function_versions,
    global_tables,
    jsonata_parsing,
    jsonata_test_state,
    kinesis_retention,
    log_streams,
    managed_login_branding,
    nested_stack_attributes,
    nested_stack_rollback,
    nested_stack_transforms,
    pseudo_parameters,
    region_outage,
    rest_api_export,
    sam_parameters,
    secure_transport,
    service_integration_errors,
    service_roles,
    ses_identities,
    state_machine_definitions,
    state_machine_versions,
    stream_encryption,
    stream_pollers,
    table_properties,
    token_endpoint,
    topic_encryption,
    ttl_deletions,
    user_pool_account_states,
    user_pool_attribute_permissions,
    user_pool_attributes,
    user_pool_challenges,
    user_pool_clients,
    user_pool_email,
    user_pool_lookups,
    user_pool_web_acls,
    weighted_aliases,
    worker_regions,
)

#: In the order of their installation: nested templates are transformed with their parameters.
_ORDER: Final[tuple[ModuleType, ...]] = (
    sam_parameters,
    pseudo_parameters,
    nested_stack_transforms,
    nested_stack_attributes,
    nested_stack_rollback,
    accepted_types,
    accepted_properties,
    table_properties,
    global_tables,
    bucket_properties,
    function_properties,
    event_source_mapping_properties,
    stream_encryption,
    topic_encryption,
    user_pool_attributes,
    user_pool_lookups,
    managed_login_branding,
    user_pool_account_states,
    user_pool_attribute_permissions,
    user_pool_challenges,
    user_pool_email,
    user_pool_web_acls,
    user_pool_clients,
    token_endpoint,
    function_runtime,
    execution_environments,
    function_versions,
    function_update_delay,
    function_files,
    function_starts,
    custom_resource_failures,
    log_streams,
    worker_regions,
    stream_pollers,
    kinesis_retention,
    execution_start_delay,
    jsonata_parsing,
    secure_transport,
    state_machine_definitions,
    state_machine_versions,
    distributed_map,
    express_executions,
    service_integration_errors,
    ses_identities,
    fifo_queues,
    jsonata_test_state,
    execution_redrive,
    weighted_aliases,
    rest_api_export,
    service_roles,
    ttl_deletions,
    region_outage,
    fault_injection,
)

PATCHES: Final[dict[str, ModuleType]] = {
    module.__name__.rpartition(".")[2]: module for module in _ORDER
}


def applied_properties() -> dict[str, set[str]]:
    """Return resource type -> properties that a patch applies or accepts without an effect."""
    applied: dict[str, set[str]] = {}
    for patch in PATCHES.values():
        for resource_type, properties in getattr(patch, "PROPERTIES", {}).items():
            applied.setdefault(resource_type, set()).update(properties)
    return applied


def provisioned_types() -> set[str]:
    """Return the resource types that patches provision and MiniStack doesn't know."""
    return {kind for patch in PATCHES.values() for kind in getattr(patch, "TYPES", ())}
