"""The list of properties that MiniStack drops, and the patches that apply them."""

import json
import subprocess
from pathlib import Path

from aws_emulator.ministack.patches import applied_properties
from aws_emulator.tests.ministack.running import PYTHON, ROOT
from aws_emulator.tests.ministack.templates import stack


def dropped(*templates: Path) -> dict[str, list[str]]:
    """Run the list on templates."""
    command = [str(PYTHON), "-m", "aws_emulator.ministack.dropped_properties"]
    result = subprocess.run(
        [*command, *map(str, templates)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    document: dict[str, list[str]] = json.loads(result.stdout)
    return document


def test_dropped_property_is_listed_and_applied_by_patch(
    environments: None, tmp_path: Path
) -> None:
    table = {
        "Type": "AWS::DynamoDB::Table",
        "Properties": {
            "TableName": "table",
            "TimeToLiveSpecification": {"AttributeName": "expires_at", "Enabled": True},
        },
    }
    template = tmp_path / "template.json"
    template.write_text(json.dumps(stack(Table=table)))
    assert dropped(template) == {"AWS::DynamoDB::Table": ["TimeToLiveSpecification"]}
    assert "TimeToLiveSpecification" in applied_properties()["AWS::DynamoDB::Table"]


def test_patches_apply_all_dropped_properties_of_test_applications(environments: None) -> None:
    tests = ROOT / "aws_emulator" / "tests"
    applications = [
        tests / "launcher" / "app" / "template.yaml",
        tests / "ministack" / "app" / "template.yaml",
        tests / "ministack" / "app" / "nested" / "child.yaml",
    ]
    for resource_type, properties in dropped(*applications).items():
        assert set(properties) <= applied_properties().get(resource_type, set()), resource_type
