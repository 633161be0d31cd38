"""Deployments: custom resources, IAM roles, function versions, `sam build` and `sam deploy`."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aws_emulator.sam_cli import SAM
from aws_emulator.tests.ministack.contracts_functions import invoke
from aws_emulator.tests.ministack.running import CREDENTIALS, ROOT, Emulator, unique
from aws_emulator.tests.ministack.templates import ROLE, function, stack

_ECHO = (ROOT / "aws_emulator" / "tests" / "ministack" / "app" / "src" / "echo.py").read_text()


def _custom(name: str, word: str | None, **more: Any) -> dict[str, Any]:
    """Return a template with a custom resource and its function; word None omits the resource."""
    template = stack(Role=ROLE, Echo=function(name, _ECHO, Handler="index.lambda_handler"))
    if word is not None:
        template["Resources"]["Custom"] = {
            "Type": "Custom::Echo",
            "Properties": {
                "ServiceToken": {"Fn::GetAtt": ["Echo", "Arn"]},
                "ServiceTimeout": 5,
                "Word": word,
                **more,
            },
        }
        template["Outputs"] = {"Word": {"Value": {"Fn::GetAtt": ["Custom", "Word"]}}}
    return template


def _requests(emulator: Emulator, name: str) -> list[str]:
    """Return the request types that the custom resource's function has logged."""
    logs = emulator.client("logs")
    events = logs.filter_log_events(
        logGroupName=f"/aws/lambda/{name}", filterPattern="RequestType"
    )["events"]
    return [event["message"].split()[-1] for event in events]


def test_custom_resource_is_created_updated_and_deleted(emulator: Emulator) -> None:
    name = unique("custom")
    assert emulator.deploy(_custom(name, "one"), name) == {"Word": "one"}
    assert emulator.deploy(_custom(name, "two"), name) == {"Word": "two"}
    emulator.deploy(_custom(name, None), name)
    assert _requests(emulator, name) == ["Create", "Update", "Delete"]


def test_custom_resource_is_deleted_with_its_stack(emulator: Emulator) -> None:
    name = unique("custom")
    emulator.deploy(_custom(name, "one"), name)
    emulator.delete(name)
    assert _requests(emulator, name) == ["Create", "Delete"]


def test_failed_custom_resource_reports_its_reason(emulator: Emulator) -> None:
    name = unique("custom")
    with pytest.raises(AssertionError, match="the word is forbidden"):
        emulator.deploy(_custom(name, "forbidden"), name)


def test_custom_resource_without_response_fails_after_timeout(emulator: Emulator) -> None:
    name = unique("custom")
    with pytest.raises(AssertionError, match="timed out after 1s"):
        emulator.deploy(_custom(name, "silence", ServiceTimeout=1), name)


def test_function_needs_permission_of_its_role(emulator: Emulator) -> None:
    name = unique("role")
    code = (
        "import boto3\n"
        "def handler(event, context):\n"
        "    boto3.client('s3').put_object(Bucket=event['bucket'], Key='a', Body=b'a')\n"
        "    return 'written'\n"
    )
    bucket = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": name}}
    emulator.deploy(stack(Role=ROLE, Bucket=bucket, Writer=function(name, code)), name)
    denied = invoke(emulator, name, {"bucket": name})
    assert "AccessDenied" in denied["errorMessage"]

    statement = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{name}/*"}
    policy = {
        "Type": "AWS::IAM::Policy",
        "Properties": {
            "PolicyName": "write",
            "Roles": [{"Ref": "Role"}],
            "PolicyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        },
    }
    template = stack(Role=ROLE, Bucket=bucket, Writer=function(name, code), Write=policy)
    emulator.deploy(template, name)
    assert invoke(emulator, name, {"bucket": name}) == "written"


def _sam(emulator: Emulator, folder: Path, *arguments: str) -> str:
    """Run the SAM CLI against the emulator and return its output."""
    result = subprocess.run(
        [*SAM, *arguments],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            **CREDENTIALS,
            "AWS_ENDPOINT_URL": emulator.endpoint,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "SAM_CLI_TELEMETRY": "0",
            "SAM_CLI_POLL_DELAY": "0.3",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


def test_sam_deploys_nested_stacks_and_updates(emulator: Emulator, tmp_path: Path) -> None:
    folder, stage = tmp_path / "app", unique("s")
    shutil.copytree(ROOT / "aws_emulator" / "tests" / "ministack" / "app", folder)

    def deploy() -> str:
        _sam(emulator, folder, "build")
        return _sam(
            emulator,
            folder,
            "deploy",
            f"--stack-name={stage}",
            "--resolve-s3",
            "--capabilities",
            "CAPABILITY_IAM",
            "CAPABILITY_AUTO_EXPAND",
            "--no-confirm-changeset",
            "--no-fail-on-empty-changeset",
            f"--parameter-overrides=Stage={stage} AliasName=live",
        )

    def outputs() -> dict[str, str]:
        described = emulator.client("cloudformation").describe_stacks(StackName=stage)
        return {o["OutputKey"]: o["OutputValue"] for o in described["Stacks"][0]["Outputs"]}

    deploy()
    first = outputs()
    assert first["Word"].endswith(f":table/emulator-{stage}-table")
    assert first["Alias"].endswith(f":emulator-{stage}-echo:live")
    assert "No changes to deploy" in deploy()

    source = folder / "src" / "echo.py"
    source.write_text(source.read_text() + "\nCHANGED = True\n")
    deploy()
    assert outputs() == first
    alias = emulator.client("lambda").get_alias(FunctionName=f"emulator-{stage}-echo", Name="live")
    assert alias["FunctionVersion"] == "2"


def test_only_existing_version_can_be_invoked(emulator: Emulator) -> None:
    """A distribution refers to a version by number, so an unknown number must fail."""
    name = unique("numbered")
    code = "def handler(event, context):\n    return context.invoked_function_arn\n"
    emulator.deploy(stack(Role=ROLE, Numbered=function(name, code)), name)
    arn = emulator.client("lambda").publish_version(FunctionName=name)["FunctionArn"]
    assert invoke(emulator, arn, {}) == arn
    with pytest.raises(ClientError, match="not found"):
        invoke(emulator, arn.replace(":1", ":2"), {})
