"""The list of accepted types is honest: needed by our templates, and not emulated."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aws_emulator.ministack.patches.accepted_types import ACCEPTED_TYPES
from aws_emulator.tests.ministack.running import PYTHON, ROOT, changed_copy, running
from aws_emulator.tests.ministack.templates import stack

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


@pytest.mark.integration
def test_what_is_accepted_can_be_read(environments: None, tmp_path: Path) -> None:
    """Whatever the list holds today: a type on it deploys, is shown while it exists, and goes."""
    kind = "AWS::CodeDeploy::Application"
    listed = f'ACCEPTED_TYPES: dict[str, str] = {{"{kind}": "no traffic is shifted",'
    empty = "ACCEPTED_TYPES: dict[str, str] = {"
    copy = changed_copy(tmp_path / "copy", "shims/accepted_types.py", empty, listed)

    def template(platform: str) -> dict[str, Any]:
        application = {"Type": kind, "Properties": {"ComputePlatform": platform}}
        outputs = {"Arn": {"Value": {"Fn::GetAtt": ["Gradual", "Arn"]}}}
        return {**stack(Gradual=application), "Outputs": outputs}

    with running(tmp_path / "state", root=copy) as emulator:
        outputs = emulator.deploy(template("Lambda"), "gradual", "eu-west-2")
        assert outputs["Arn"].startswith("arn:aws:codedeploy:eu-west-2:000000000000:application/")
        use = {
            "type": kind,
            "logical_id": "Gradual",
            "stack": "gradual",
            "region": "eu-west-2",
            "missing": "no traffic is shifted",
        }
        assert emulator.local("accepted") == [use]

        assert emulator.deploy(template("ECS"), "gradual", "eu-west-2") == outputs
        assert emulator.local("accepted") == [use]

        emulator.delete("gradual", "eu-west-2")
        assert emulator.local("accepted") == []
        with pytest.raises(ClientError, match="Unrecognized resource types"):
            emulator.deploy(stack(Other={"Type": "AWS::CodeDeploy::Nothing"}), "other")
