"""Deployments and alarm actions that AWS refuses."""

from aws_emulator.tests.ministack import (
    contracts_alarms,
    contracts_deployment,
    contracts_edge,
    contracts_imports,
    contracts_nested_stacks,
)
from aws_emulator.tests.ministack.running import Emulator


def test_cloudformation_refuses_name_that_exists(emulator: Emulator) -> None:
    contracts_deployment.name_collisions(emulator)


def test_cloudformation_refuses_deletion_of_protected_table_and_user_pool(
    emulator: Emulator,
) -> None:
    contracts_deployment.deletion_protection(emulator)


def test_cloudformation_refuses_to_replace_resource_with_same_name(emulator: Emulator) -> None:
    contracts_nested_stacks.replaced_table(emulator)


def test_cloudformation_refuses_undefined_condition(emulator: Emulator) -> None:
    contracts_deployment.undefined_conditions(emulator)


def test_lambda_refuses_deletion_of_replicated_function(emulator: Emulator) -> None:
    contracts_edge.edge_replicas(emulator)


def test_rollback_of_nested_stack_keeps_resource_with_retain(emulator: Emulator) -> None:
    contracts_nested_stacks.nested_stack_rollback(emulator)


def test_alarm_does_not_publish_with_key_that_cloudwatch_may_not_use(emulator: Emulator) -> None:
    contracts_alarms.topic_keys(emulator)


def test_cloudformation_refuses_import_without_policy_or_of_another_stack(
    emulator: Emulator,
) -> None:
    contracts_imports.refused_imports(emulator)


def test_cloudformation_refuses_to_nest_a_different_stack(emulator: Emulator) -> None:
    contracts_imports.refused_nesting(emulator)
