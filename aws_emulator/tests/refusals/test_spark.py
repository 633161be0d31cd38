"""Applications and jobs that Amazon EMR Serverless refuses."""

import json
from typing import Any, Final

import pytest

from aws_emulator.tests.ministack.contracts_state_machines import ROLE, ended, machine
from aws_emulator.tests.ministack.running import Emulator, unique
from aws_emulator.tests.ministack.templates import stack

APPLICATION: Final = {
    "Name": "jobs",
    "Type": "SPARK",
    "ReleaseLabel": "emr-spark-8.0.0",
    "Architecture": "ARM64",
    "AutoStopConfiguration": {"Enabled": True, "IdleTimeoutMinutes": 1},
    "MaximumCapacity": {"Cpu": "4 vCPU", "Memory": "16 GB", "Disk": "40 GB"},
}
JOB_ROLE: Final = {
    "Type": "AWS::IAM::Role",
    "Properties": {
        "AssumeRolePolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "emr-serverless.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                }
            ],
        }
    },
}


def application(**properties: Any) -> dict[str, Any]:
    """Return an application with other properties; None removes one."""
    merged = {name: it for name, it in (APPLICATION | properties).items() if it is not None}
    return {"Type": "AWS::EMRServerless::Application", "Properties": merged}


def job(emulator: Emulator, role: str = "JobRole", **fields: Any) -> dict[str, Any]:
    """Run a job whose script doesn't exist in a state machine; return the ended execution."""
    name = unique("spark")
    request = {
        "ApplicationId": "${Application}",
        "ExecutionRoleArn": "${Role}",
        "JobDriver": {"SparkSubmit": {"EntryPoint": f"s3://{name}/job.py"}},
        **fields,
    }
    state = {
        "Type": "Task",
        "Resource": "arn:aws:states:::emr-serverless:startJobRun.sync",
        "Parameters": request,
        "End": True,
    }
    text = json.dumps({"StartAt": "Run", "States": {"Run": state}})
    values = {
        "Application": {"Fn::GetAtt": ["Spark", "ApplicationId"]},
        "Role": {"Fn::GetAtt": [role, "Arn"]},
    }
    resource = machine("", StateMachineName=name)
    resource["Properties"]["DefinitionString"] = {"Fn::Sub": [text, values]}
    resources = {"Spark": application(), "Role": ROLE, "JobRole": JOB_ROLE, "Machine": resource}
    emulator.deploy(stack(**resources), name)
    machines = emulator.client("stepfunctions")
    arns = {
        it["name"]: it["stateMachineArn"]
        for it in machines.list_state_machines(maxResults=1000)["stateMachines"]
    }
    execution = machines.start_execution(stateMachineArn=arns[name])["executionArn"]
    return ended(emulator, execution)


def test_job_without_its_script_fails(emulator: Emulator) -> None:
    execution = job(emulator)
    assert execution["status"] == "FAILED"
    assert execution["error"] == "States.TaskFailed"
    # The role has no policy, so it can't list the bucket.
    assert "AccessDenied" in execution["cause"]


def test_spark_refuses_job_of_missing_application(emulator: Emulator) -> None:
    execution = job(emulator, ApplicationId="00missing")
    assert (execution["status"], execution["error"]) == (
        "FAILED",
        "EMRServerless.ValidationException",
    )
    assert "00missing" in execution["cause"]


def test_spark_refuses_job_with_a_role_of_another_service(emulator: Emulator) -> None:
    execution = job(emulator, role="Role")
    assert execution["status"] == "FAILED"
    assert "does not trust emr-serverless.amazonaws.com" in execution["cause"]


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"ReleaseLabel": None}, "ReleaseLabel"),
        ({"Type": "FLINK"}, "FLINK"),
        ({"Type": "HIVE"}, "HIVE"),
        ({"Architecture": "arm"}, "Architecture"),
        ({"MaximumCapacity": {"Cpu": "4 vCPU"}}, "MaximumCapacity"),
        ({"MaximumCapacity": {"Cpu": "four", "Memory": "16 GB"}}, "Cpu"),
        ({"AutoStopConfiguration": {"IdleTimeoutMinutes": 0}}, "IdleTimeoutMinutes"),
    ],
)
def test_spark_refuses_application(
    emulator: Emulator, properties: dict[str, Any], message: str
) -> None:
    with pytest.raises(AssertionError, match=message):
        emulator.deploy(stack(Spark=application(**properties)), unique("spark"))
