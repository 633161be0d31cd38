"""The parameters that `make deploy` passes to `sam deploy`."""

from tools.deployment.deploy import parameter_overrides


def test_empty_parameter_keeps_its_previous_value() -> None:
    overrides = {"Stage": "prod", "ReplicaRegions": ""}
    assert parameter_overrides(overrides) == ["Stage=prod"]


def test_json_is_passed_with_escaped_quotation_marks() -> None:
    sources = '[{"id":"portal"}]'
    assert parameter_overrides({"CollectorSources": sources}) == [
        r'CollectorSources="[{\"id\":\"portal\"}]"'
    ]
