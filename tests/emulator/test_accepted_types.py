"""The list of accepted types is honest: needed by our templates, and not emulated."""

import json
import re
import subprocess

import pytest

from local.emulator.shims.accepted_types import ACCEPTED_TYPES
from tests.emulator.running import PYTHON, ROOT

#: What MiniStack provisions, shims aside.
_PROVISIONED = (
    "import json; from ministack.services.cloudformation.provisioners import _RESOURCE_HANDLERS;"
    "print(json.dumps(sorted(_RESOURCE_HANDLERS)))"
)


@pytest.fixture(scope="module")
def used() -> set[str]:
    """The resource types of our templates, as written."""
    templates = [ROOT / "template.yaml", *(ROOT / "stacks").glob("*.yaml")]
    text = "\n".join(template.read_text() for template in templates)
    found = set(re.findall(r"^\s+Type: ['\"]?((?:AWS|Custom)::[\w:]+)", text, re.MULTILINE))
    assert "AWS::Serverless::Function" in found
    return found


@pytest.fixture(scope="module")
def provisioned(environments: None) -> set[str]:
    """The resource types that MiniStack provisions."""
    result = subprocess.run(
        [PYTHON, "-c", _PROVISIONED], capture_output=True, text=True, check=True, timeout=60
    )
    return set(json.loads(result.stdout))


def test_an_accepted_type_is_one_of_our_templates(used: set[str]) -> None:
    assert set(ACCEPTED_TYPES) <= used


def test_an_accepted_type_is_not_emulated(provisioned: set[str]) -> None:
    assert set(ACCEPTED_TYPES) & provisioned == set()


def test_every_type_of_our_templates_is_emulated_or_accepted(
    used: set[str], provisioned: set[str]
) -> None:
    known = provisioned | set(ACCEPTED_TYPES)
    unknown = {
        name for name in used - known if not name.startswith(("AWS::Serverless::", "Custom::"))
    }
    assert unknown == set()
