"""Every patch fulfils its contract, is needed for it, and documents its gap."""

import ast
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from aws_emulator.tests.ministack import (
    contracts_alarms,
    contracts_api,
    contracts_athena,
    contracts_cognito,
    contracts_debugging,
    contracts_deployment,
    contracts_edge,
    contracts_emails,
    contracts_executions,
    contracts_functions,
    contracts_imports,
    contracts_metrics,
    contracts_names,
    contracts_nested_stacks,
    contracts_passkeys,
    contracts_policies,
    contracts_properties,
    contracts_reload,
    contracts_services,
    contracts_sign_in_pages,
    contracts_state_machines,
    contracts_user_pool_replicas,
    contracts_user_pools,
)
from aws_emulator.tests.ministack.running import ROOT, Emulator, Preloaded
from aws_emulator.tests.refusals import (
    test_athena,
    test_athena_requests,
    test_functions,
    test_glue,
    test_kinesis,
    test_messaging,
    test_s3,
    test_settings,
    test_spark,
)
from aws_emulator.tests.waiting import expected_to_fail

#: One contract per patch. Further contracts of a patch have separate tests below.
CONTRACTS: dict[str, Callable[[Emulator], None]] = {
    "alarm_evaluation": contracts_alarms.alarm_evaluation,
    "alarm_metric_math": contracts_alarms.alarm_metric_math,
    "athena_columns": contracts_athena.athena_columns,
    "athena_requests": test_athena_requests.test_athena_refuses_query_of_another_workgroup,
    "athena_snapshots": contracts_athena.athena_snapshots,
    "athena_views": contracts_athena.athena_views,
    "athena_workgroups": test_athena.test_athena_cancels_query_over_the_limit,
    "named_queries": contracts_athena.named_queries,
    "spark_jobs": test_spark.test_job_without_its_script_fails,
    "accepted_properties": contracts_deployment.accepted_properties,
    "accepted_types": contracts_deployment.accepted_types,
    "user_pool_clients": contracts_cognito.user_pool_clients,
    "bucket_properties": contracts_properties.bucket_properties,
    "bucket_requests": test_s3.test_s3_refuses_policy_of_another_bucket,
    "catalog_resources": test_glue.test_glue_refuses_table_without_permission,
    "event_limits": test_messaging.test_eventbridge_rejects_detail_that_is_not_json_object,
    "execution_limits": contracts_executions.execution_limits,
    "state_machine_validation": contracts_executions.state_machine_validation,
    "mapping_limits": contracts_functions.mapping_limits,
    "object_limits": test_s3.test_s3_refuses_key_over_1024_bytes,
    "payload_limits": contracts_functions.payload_limits,
    "record_limits": test_kinesis.test_kinesis_refuses_record_over_1_mib,
    "delimited_items": contracts_state_machines.delimited_items,
    "deletion_protection": contracts_deployment.deletion_protection,
    "distribution_keys": contracts_services.distribution_keys,
    "health_checks": contracts_names.health_checks,
    "record_sets": contracts_names.record_sets,
    "edge_replicas": contracts_edge.edge_replicas,
    "distributed_map": contracts_state_machines.distributed_map,
    "fault_injection": contracts_services.fault_injection,
    "execution_start_delay": contracts_services.execution_start_delay,
    "execution_redrive": contracts_executions.execution_redrive,
    "ttl_deletions": contracts_services.ttl_deletions,
    "express_executions": contracts_executions.express_executions,
    "jsonata_parsing": contracts_executions.jsonata_parsing,
    "custom_resource_failures": contracts_reload.custom_resource_failures,
    "fifo_queues": contracts_services.fifo_queues,
    "execution_environments": contracts_functions.execution_environments,
    "function_files": contracts_reload.function_files,
    "function_starts": contracts_reload.function_starts,
    "debugged_functions": contracts_debugging.debugged_functions,
    "function_properties": contracts_properties.function_properties,
    "function_runtime": contracts_functions.function_runtime,
    "function_versions": contracts_functions.function_versions,
    "identity_providers": contracts_api.identity_providers,
    "invocation_request_ids": contracts_functions.invocation_request_ids,
    "generated_secrets": contracts_api.generated_secrets,
    "global_tables": contracts_properties.global_tables,
    "service_metrics": contracts_metrics.service_metrics,
    "service_limits": test_settings.test_scheduler_refuses_expression,
    "service_integration_errors": contracts_state_machines.service_integration_errors,
    "kinesis_retention": contracts_services.kinesis_retention,
    "ses_events": contracts_state_machines.ses_events,
    "ses_identities": contracts_emails.ses_identities,
    "ses_raw_emails": contracts_emails.ses_raw_emails,
    "log_streams": contracts_functions.log_streams,
    "schedule_pages": contracts_services.schedule_pages,
    "secure_transport": contracts_services.secure_transport,
    "state_machine_definitions": contracts_state_machines.state_machine_definitions,
    "batch_read_attributes": contracts_policies.batch_read_attributes,
    "state_machine_qualifiers": contracts_state_machines.state_machine_qualifiers,
    "state_machine_versions": contracts_state_machines.state_machine_versions,
    "event_source_mapping_properties": contracts_properties.event_source_mapping_properties,
    "name_collisions": contracts_deployment.name_collisions,
    "nested_stack_attributes": contracts_deployment.nested_stack_attributes,
    "nested_stack_failures": contracts_nested_stacks.nested_stack_failures,
    "nested_stack_references": contracts_nested_stacks.nested_stack_references,
    "nested_stack_rollback": contracts_nested_stacks.nested_stack_rollback,
    "resource_imports": contracts_imports.resource_imports,
    "stack_resource_lookup": contracts_imports.stack_resource_lookup,
    "nested_stack_transforms": contracts_deployment.nested_stack_transforms,
    "edge_function_replicas": contracts_functions.edge_function_replicas,
    "region_outage": contracts_services.region_outage,
    "replication_delay": contracts_services.replication_delay,
    "bucket_replication": contracts_services.bucket_replication,
    "pseudo_parameters": contracts_deployment.pseudo_parameters,
    "disabled_versions": contracts_properties.disabled_versions,
    "reserved_concurrency": test_functions.test_lambda_keeps_100_executions_unreserved,
    "rest_api_export": contracts_api.rest_api_export,
    "rest_api_updates": contracts_api.rest_api_updates,
    "stage_access_logs": contracts_api.stage_access_logs,
    "s3_request_ids": contracts_services.s3_request_ids,
    "sam_parameters": contracts_deployment.sam_parameters,
    "service_roles": contracts_api.service_roles,
    "jsonata_test_state": contracts_state_machines.jsonata_test_state,
    "stream_encryption": contracts_properties.stream_encryption,
    "stream_pollers": contracts_functions.stream_pollers,
    "table_properties": contracts_properties.table_properties,
    "token_endpoint": contracts_cognito.token_endpoint,
    "topic_encryption": contracts_properties.topic_encryption,
    "topic_keys": contracts_alarms.topic_keys,
    "function_update_delay": contracts_functions.function_update_delay,
    "function_updates": contracts_functions.function_updates,
    "user_pool_aliases": contracts_user_pools.user_pool_aliases,
    "user_pool_filters": contracts_user_pools.user_pool_filters,
    "user_pool_limits": contracts_user_pools.user_pool_limits,
    "user_pool_lookups": contracts_cognito.user_pool_lookups,
    "user_pool_attributes": contracts_properties.user_pool_attributes,
    "managed_login_branding": contracts_sign_in_pages.managed_login_branding,
    "user_pool_identity_providers": contracts_user_pools.user_pool_identity_providers,
    "undefined_conditions": contracts_deployment.undefined_conditions,
    "user_pool_account_states": contracts_user_pools.user_pool_account_states,
    "user_pool_attribute_permissions": contracts_user_pools.user_pool_attribute_permissions,
    "user_pool_challenges": contracts_user_pools.user_pool_challenges,
    "user_pool_email": contracts_user_pools.user_pool_email,
    "user_pool_passkeys": contracts_passkeys.user_pool_passkeys,
    "user_pool_replicas": contracts_user_pool_replicas.user_pool_replicas,
    "user_pool_web_acls": contracts_user_pools.user_pool_web_acls,
    "web_acl_responses": contracts_edge.web_acl_responses,
    "weighted_aliases": contracts_functions.weighted_aliases,
    "worker_regions": contracts_functions.worker_regions,
}
#: Without its patch, most contracts wait for something that never happens.
LONGEST_WAIT_S = 3.0
PATCH_FILES = sorted(
    path
    for path in (ROOT / "aws_emulator/ministack/patches").glob("*.py")
    if path.stem != "__init__"
)


@pytest.mark.parametrize("name", CONTRACTS)
def test_contract_holds_with_patch(emulator: Emulator, name: str) -> None:
    CONTRACTS[name](emulator)


@pytest.mark.nightly
@pytest.mark.integration
@pytest.mark.parametrize("name", CONTRACTS)
def test_contract_fails_without_patch(preloaded: Preloaded, tmp_path: Path, name: str) -> None:
    """When this test fails, MiniStack has closed the gap and the patch can be deleted."""
    with (
        preloaded.running(tmp_path / "state", name) as without,
        expected_to_fail(LONGEST_WAIT_S),
        pytest.raises((AssertionError, ClientError, pytest.fail.Exception)) as caught,
    ):
        CONTRACTS[name](without)
    print(f"without {name}: {caught.value}")


def test_hosted_pages_sign_in_with_emailed_code(emulator: Emulator) -> None:
    contracts_user_pools.hosted_sign_in_with_code(emulator)


def test_functions_are_forks_of_one_process(emulator: Emulator) -> None:
    contracts_functions.forked_processes(emulator)


def test_import_error_keeps_its_type(emulator: Emulator) -> None:
    contracts_functions.import_errors(emulator)


def test_function_keeps_its_code_if_it_does_not_start_with_changed_files(
    emulator: Emulator,
) -> None:
    contracts_reload.failed_replacements(emulator)


def test_changed_file_takes_effect_in_replicas(emulator: Emulator) -> None:
    contracts_reload.replaced_replicas(emulator)


def test_running_invocation_ends_in_old_process_when_files_change(emulator: Emulator) -> None:
    contracts_reload.running_invocations(emulator)


def test_failed_start_is_logged(emulator: Emulator) -> None:
    contracts_reload.logged_failures(emulator)


def test_start_of_function_with_other_python_version_is_refused(emulator: Emulator) -> None:
    contracts_reload.other_runtimes(emulator)


def test_throttled_function_has_error_name_of_aws(emulator: Emulator) -> None:
    contracts_state_machines.throttled_functions(emulator)


def test_stopped_execution_stays_stopped(emulator: Emulator) -> None:
    contracts_executions.late_failures(emulator)


def test_redrive_starts_after_stopped_state_has_ended(emulator: Emulator) -> None:
    contracts_executions.stopped_executions(emulator)


@pytest.mark.parametrize(
    ("outcome", "remaining"), [("retain", {"retain", "except"}), ("delete", {"retain"})]
)
def test_parent_rollback_treats_complete_nested_stack_as_selected(
    emulator: Emulator, outcome: str, remaining: set[str]
) -> None:
    assert contracts_nested_stacks.parent_rollback(emulator, outcome) == remaining


def test_failed_update_of_nested_stack_deletes_new_resources(emulator: Emulator) -> None:
    assert contracts_nested_stacks.failed_update(emulator) == {"default", "retain"}


def test_failed_update_of_nested_stack_in_nested_stack_restores_properties(
    emulator: Emulator,
) -> None:
    before, after = contracts_nested_stacks.failed_update_in_nested_stack_of_nested_stack(emulator)
    assert after == before == "30"


def test_every_patch_has_a_contract() -> None:
    assert sorted(CONTRACTS) == [path.stem for path in PATCH_FILES]


@pytest.mark.parametrize("path", PATCH_FILES, ids=lambda path: path.stem)
def test_every_patch_documents_gap_version_and_condition(path: Path) -> None:
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    assert "\nGap: " in text
    assert "\nSeen in: ministack 1.5.33" in text
    assert "\nDelete when: " in text


@pytest.mark.parametrize("path", PATCH_FILES, ids=lambda path: path.stem)
def test_readme_lists_patch(path: Path) -> None:
    summary = (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n")[0]
    row = f"| [{path.stem}](ministack/patches/{path.name}) | {summary} |"
    assert row in (ROOT / "aws_emulator" / "README.md").read_text().splitlines()
