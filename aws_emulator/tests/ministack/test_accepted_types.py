"""Resource types that are accepted without being emulated."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aws_emulator.ministack.patches.accepted_types import ACCEPTED_TYPES
from aws_emulator.tests.ministack.running import PYTHON, running
from aws_emulator.tests.ministack.templates import stack

#: Prints the types that MiniStack provisions without patches.
_PROVISIONED = (
    "import json; from ministack.services.cloudformation.provisioners import _RESOURCE_HANDLERS;"
    "print(json.dumps(sorted(_RESOURCE_HANDLERS)))"
)


@pytest.fixture(scope="module")
def provisioned(environments: None) -> set[str]:
    """Return the resource types that MiniStack provisions."""
    result = subprocess.run(
        [PYTHON, "-c", _PROVISIONED], capture_output=True, text=True, check=True, timeout=60
    )
    return set(json.loads(result.stdout))


def test_accepted_types_are_not_emulated_by_ministack(provisioned: set[str]) -> None:
    assert set(ACCEPTED_TYPES) & provisioned == set()


@pytest.mark.integration
def test_accepted_resource_is_listed_until_it_is_deleted(
    environments: None, tmp_path: Path
) -> None:
    kind = "AWS::CodeDeploy::Application"

    def template(platform: str) -> dict[str, Any]:
        application = {"Type": kind, "Properties": {"ComputePlatform": platform}}
        outputs = {"Arn": {"Value": {"Fn::GetAtt": ["Gradual", "Arn"]}}}
        return {**stack(Gradual=application), "Outputs": outputs}

    with running(tmp_path / "state") as emulator:
        outputs = emulator.deploy(template("Lambda"), "gradual", "eu-west-2")
        assert outputs["Arn"].startswith("arn:aws:codedeploy:eu-west-2:000000000000:application/")
        use = {
            "type": kind,
            "logical_id": "Gradual",
            "stack": "gradual",
            "region": "eu-west-2",
            "missing": ACCEPTED_TYPES[kind],
        }
        assert emulator.local("accepted") == [use]

        assert emulator.deploy(template("ECS"), "gradual", "eu-west-2") == outputs
        assert emulator.local("accepted") == [use]

        emulator.delete("gradual", "eu-west-2")
        assert emulator.local("accepted") == []
        with pytest.raises(ClientError, match="Unrecognized resource types"):
            emulator.deploy(stack(Other={"Type": "AWS::CodeDeploy::Nothing"}), "other")
