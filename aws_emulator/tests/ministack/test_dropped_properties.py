"""No property of our templates is lost: MiniStack's provisioner names it, or a shim applies it."""

import json
import subprocess
from pathlib import Path

from aws_emulator.ministack.patches import SHIMS
from aws_emulator.tests.ministack.running import PYTHON, ROOT

_SCRIPT = Path(__file__).with_name("named_properties.py")


def _applied() -> dict[str, set[str]]:
    """Type -> properties that a shim applies."""
    applied: dict[str, set[str]] = {}
    for shim in SHIMS.values():
        for resource_type, properties in getattr(shim, "PROPERTIES", {}).items():
            applied.setdefault(resource_type, set()).update(properties)
    return applied


def test_what_the_provisioners_drop_is_applied_by_a_shim(environments: None) -> None:
    result = subprocess.run(
        [PYTHON, _SCRIPT, ROOT], capture_output=True, text=True, check=True, timeout=60
    )
    dropped = json.loads(result.stdout)
    # If this were empty, the script would have stopped seeing what the shims are for.
    assert "TimeToLiveSpecification" in dropped["AWS::DynamoDB::Table"]
    applied = _applied()
    lost = {
        resource_type: sorted(set(properties) - applied.get(resource_type, set()))
        for resource_type, properties in dropped.items()
    }
    assert {resource_type: names for resource_type, names in lost.items() if names} == {}
