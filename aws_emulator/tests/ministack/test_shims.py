"""Every shim keeps its promise, is needed for it, and says why it is there."""

import ast
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from aws_emulator.tests.ministack import (
    contracts_api,
    contracts_cognito,
    contracts_deployment,
    contracts_executions,
    contracts_functions,
    contracts_machines,
    contracts_properties,
    contracts_services,
)
from aws_emulator.tests.ministack.running import ROOT, Emulator, running

#: Each shim's check. A second check of a shim is a test of its own below.
CONTRACTS: dict[str, Callable[[Emulator], None]] = {
    "accepted_properties": contracts_deployment.accepted_properties,
    "accepted_types": contracts_deployment.accepted_types,
    "app_clients": contracts_cognito.app_clients,
    "bucket_properties": contracts_properties.bucket_properties,
    "distributed_maps": contracts_machines.distributed_maps,
    "call_faults": contracts_services.call_faults,
    "execution_delay": contracts_services.execution_delay,
    "execution_redrive": contracts_executions.execution_redrive,
    "expired_items": contracts_services.expired_items,
    "express_executions": contracts_executions.express_executions,
    "expression_parsing": contracts_executions.expression_parsing,
    "fifo_backlogs": contracts_services.fifo_backlogs,
    "function_processes": contracts_functions.function_processes,
    "function_properties": contracts_properties.function_properties,
    "function_runtime": contracts_functions.function_runtime,
    "function_versions": contracts_functions.function_versions,
    "global_tables": contracts_properties.global_tables,
    "integration_errors": contracts_machines.integration_errors,
    "kinesis_housekeeping": contracts_services.kinesis_housekeeping,
    "letter_senders": contracts_machines.letter_senders,
    "log_streams": contracts_functions.log_streams,
    "loopback_transport": contracts_services.loopback_transport,
    "machine_definitions": contracts_machines.machine_definitions,
    "machine_versions": contracts_machines.machine_versions,
    "mapping_properties": contracts_properties.mapping_properties,
    "nested_attributes": contracts_deployment.nested_attributes,
    "nested_cleanup": contracts_deployment.nested_cleanup,
    "nested_sam": contracts_deployment.nested_sam,
    "outage": contracts_services.outage,
    "pseudo_parameters": contracts_deployment.pseudo_parameters,
    "rest_api_export": contracts_api.rest_api_export,
    "sam_parameters": contracts_deployment.sam_parameters,
    "service_roles": contracts_api.service_roles,
    "state_tests": contracts_machines.state_tests,
    "stream_encryption": contracts_properties.stream_encryption,
    "stream_pollers": contracts_functions.stream_pollers,
    "table_properties": contracts_properties.table_properties,
    "token_endpoint": contracts_cognito.token_endpoint,
    "topic_encryption": contracts_properties.topic_encryption,
    "update_delay": contracts_functions.update_delay,
    "user_lookups": contracts_cognito.user_lookups,
    "user_pool_attributes": contracts_properties.user_pool_attributes,
    "weighted_aliases": contracts_functions.weighted_aliases,
    "worker_regions": contracts_functions.worker_regions,
}
SHIMS = sorted(
    path
    for path in (ROOT / "aws_emulator/ministack/patches").glob("*.py")
    if path.stem != "__init__"
)


@pytest.mark.parametrize("name", CONTRACTS)
def test_the_contract_holds(emulator: Emulator, name: str) -> None:
    CONTRACTS[name](emulator)


@pytest.mark.integration
@pytest.mark.parametrize("name", CONTRACTS)
def test_the_shim_is_needed(environments: None, tmp_path: Path, name: str) -> None:
    """Without the shim its check fails: when it passes, the shim can go."""
    with (
        running(tmp_path / "state", name) as without,
        pytest.raises((AssertionError, ClientError)) as caught,
    ):
        CONTRACTS[name](without)
    print(f"without {name}: {caught.value}")


def test_an_import_error_keeps_its_type(emulator: Emulator) -> None:
    contracts_functions.import_errors(emulator)


def test_a_throttled_function_is_named_as_on_aws(emulator: Emulator) -> None:
    contracts_machines.throttled_functions(emulator)


def test_a_stopped_execution_stays_stopped(emulator: Emulator) -> None:
    contracts_executions.failed_after_a_stop(emulator)


def test_a_redrive_has_the_execution_to_itself(emulator: Emulator) -> None:
    contracts_executions.stopped_executions(emulator)


def test_every_shim_has_a_contract() -> None:
    assert sorted(CONTRACTS) == [path.stem for path in SHIMS]


@pytest.mark.parametrize("path", SHIMS, ids=lambda path: path.stem)
def test_every_shim_says_why_it_is_there(path: Path) -> None:
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    assert "\nGap: " in text
    assert "\nSeen in: ministack 1.5.33" in text
    assert "\nDelete when: " in text
