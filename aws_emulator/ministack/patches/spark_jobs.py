"""Run the Spark jobs of Amazon EMR Serverless on this machine, for Step Functions.

Gap: there is no resource type AWS::EMRServerless::Application, and the integration
emr-serverless:startJobRun.sync isn't implemented.
Seen in: ministack 1.5.33, cloudformation/provisioners.py, _RESOURCE_HANDLERS; stepfunctions.py,
_SERVICE_DISPATCH.
Delete when: a state machine can run a job of an application that a template created.

Sources: CloudFormation template reference; EMR Serverless API reference, CreateApplication and
StartJobRun; "Create and manage Amazon EMR Serverless applications with Step Functions". The other
operations of EMR Serverless don't exist. A process of aws_emulator/spark_run.py runs the job.
"""

import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.patches.service_roles import assume
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

_TYPE: Final = "AWS::EMRServerless::Application"
TYPES: Final = frozenset({_TYPE})
_INTEGRATION: Final = "arn:aws:states:::emr-serverless:startJobRun"
_SERVICE: Final = "emr-serverless.amazonaws.com"
#: The template reference's patterns.
_PATTERNS: Final = {
    "Name": r"[A-Za-z0-9._/#-]{1,64}",
    "ReleaseLabel": r"[A-Za-z0-9._/-]{1,64}",
    "Architecture": r"ARM64|X86_64",
}
_CAPACITY: Final = {
    "Cpu": r"[1-9][0-9]*(\s)?(vCPU|vcpu|VCPU)?",
    "Memory": r"[1-9][0-9]*(\s)?(GB|gb|gB|Gb)?",
    "Disk": r"[1-9][0-9]*(\s)?(GB|gb|gB|Gb)",
}
_MAX_IDLE_MINUTES: Final = 10_080
_ROOT: Final = Path(__file__).resolve().parents[3]
#: Releases that begin so have the type SPARK only.
_SPARK_RELEASE: Final = "emr-spark-"
#: Application ID → the properties of its template.
_applications: Final[dict[str, Mapping[str, Any]]] = {}


def install(settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Register the type and the integration."""
    handlers = Symbols("ministack.services.cloudformation.provisioners", "_RESOURCE_HANDLERS")
    responses = Symbols("ministack.core.responses", "get_account_id", "get_region")
    states = Symbols("ministack.services.stepfunctions", "_ExecutionError", "_SERVICE_DISPATCH")

    def attributes(application_id: str) -> dict[str, str]:
        region, account = responses["get_region"](), responses["get_account_id"]()
        arn = f"arn:aws:emr-serverless:{region}:{account}:/applications/{application_id}"
        return {"Arn": arn, "ApplicationId": application_id}

    def create(_logical_id: str, props: dict[str, Any], _stack: str) -> Any:
        check(props)
        # API reference: the pattern of an ID is [0-9a-z]+.
        application_id = f"00{secrets.token_hex(7)}"
        _applications[application_id] = props
        return application_id, attributes(application_id)

    def update(application_id: str, _old: Any, props: dict[str, Any], _stack: str) -> Any:
        check(props)
        _applications[application_id] = props
        return application_id, attributes(application_id)

    def delete(application_id: str, _props: Any) -> None:
        _applications.pop(application_id, None)

    def start(resource: str, request: Mapping[str, Any]) -> dict[str, Any]:
        error = states["_ExecutionError"]
        try:
            application_id, job = checked_request(resource, request)
            role = assume(settings, _SERVICE, str(request["ExecutionRoleArn"]))
        except ValueError as invalid:
            raise error("EMRServerless.ValidationException", str(invalid)) from invalid
        job_id = f"00{secrets.token_hex(7)}"
        document = {
            **job,
            "endpoint": settings.endpoint,
            "region": responses["get_region"](),
            "credentials": role,
            "folder": str(settings.temporary / "spark" / job_id),
            "log_group": log_group(_applications[application_id]),
            "log_stream": f"applications/{application_id}/jobs/{job_id}",
        }
        cause = _run(document)
        if cause:
            raise error("States.TaskFailed", cause)
        return {"ApplicationId": application_id, "JobRunId": job_id, "State": "SUCCESS"}

    states["_SERVICE_DISPATCH"][_INTEGRATION] = start
    handlers["_RESOURCE_HANDLERS"].setdefault(
        _TYPE, {"create": create, "update": update, "delete": delete}
    )


def check(props: Mapping[str, Any]) -> None:
    """Check the properties of an application. Pure.

    Raises:
        ValueError: CloudFormation or EMR Serverless refuses them.
    """
    for name in ("ReleaseLabel", "Type"):
        if not props.get(name):
            raise ValueError(f"Property validation failure: the property {name} is required")
    capacity = props.get("MaximumCapacity")
    if capacity is not None and not {"Cpu", "Memory"} <= capacity.keys():
        raise ValueError("Property validation failure: MaximumCapacity needs Cpu and Memory")
    values = [(name, props.get(name), pattern) for name, pattern in _PATTERNS.items()]
    values += [(name, (capacity or {}).get(name), it) for name, it in _CAPACITY.items()]
    for name, value, pattern in values:
        if value is not None and not re.fullmatch(pattern, str(value)):
            raise ValueError(f"Property validation failure: {name} {value!r} isn't valid")
    kind = str(props["Type"]).upper()
    if kind not in ("SPARK", "HIVE") or (
        kind == "HIVE" and str(props["ReleaseLabel"]).startswith(_SPARK_RELEASE)
    ):
        raise ValueError(f"ValidationException: {props['ReleaseLabel']} has no type {kind}")
    idle = int((props.get("AutoStopConfiguration") or {}).get("IdleTimeoutMinutes", 1))
    if not 1 <= idle <= _MAX_IDLE_MINUTES:
        raise ValueError(
            f"ValidationException: IdleTimeoutMinutes must be 1 to {_MAX_IDLE_MINUTES}"
        )


def log_group(props: Mapping[str, Any]) -> str:
    """Return the log group of an application's jobs, or an empty text. Pure."""
    monitoring = props.get("MonitoringConfiguration") or {}
    logging = monitoring.get("CloudWatchLoggingConfiguration") or {}
    is_enabled = str(logging.get("Enabled", "false")).lower() == "true"
    return str(logging.get("LogGroupName", "")) if is_enabled else ""


def _run(document: Mapping[str, Any]) -> str:
    """Run a job in another process; return why it failed, or an empty text."""
    done = subprocess.run(
        [sys.executable, "-m", "aws_emulator.spark_run"],
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        input=json.dumps(document),
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if done.returncode == 0 else done.stderr.strip() or f"exit code {done.returncode}"


def checked_request(resource: str, request: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the application's ID and the job of a request.

    Raises:
        ValueError: EMR Serverless refuses the request, or the emulator can't run the job.
    """
    if not resource.endswith(".sync"):
        raise ValueError("The emulator runs jobs with startJobRun.sync only.")
    for name in ("ApplicationId", "ExecutionRoleArn"):
        if not request.get(name):
            raise ValueError(f"The field {name} is required.")
    application_id = str(request["ApplicationId"])
    if application_id not in _applications:
        raise ValueError(f"Application {application_id} doesn't exist.")
    submit = (request.get("JobDriver") or {}).get("SparkSubmit")
    if not submit or not submit.get("EntryPoint"):
        raise ValueError("JobDriver needs SparkSubmit with an EntryPoint.")
    job = {
        "script": str(submit["EntryPoint"]),
        "arguments": [str(it) for it in submit.get("EntryPointArguments", ())],
        "options": str(submit.get("SparkSubmitParameters", "")),
    }
    return application_id, job
