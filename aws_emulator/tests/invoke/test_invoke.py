"""Invoking a function of the build output under AWS's runtime interface client."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from aws_emulator.built_functions import BuiltFunction
from aws_emulator.errors import CommandError
from aws_emulator.invoke import Deployment, invoke
from aws_emulator.tests.paths import ROOT

PYTHON = ROOT / ".venv-lambda" / "bin" / "python"
SOURCE = """
import os, time

def echo(event, context):
    print("received", event["name"])
    return {
        "event": event,
        "request_id": context.aws_request_id,
        "arn": context.invoked_function_arn,
        "remaining": context.get_remaining_time_in_millis(),
        "environment": dict(os.environ),
    }

def fail(event, context):
    raise LookupError("no such name")

def leave(event, context):
    os._exit(3)

def sleep(event, context):
    time.sleep(60)

def unserializable(event, context):
    return object()
"""


@pytest.fixture
def function(tmp_path: Path) -> BuiltFunction:
    (tmp_path / "index.py").write_text(SOURCE)
    (tmp_path / "broken.py").write_text("import a_missing_module\n")
    return BuiltFunction("Probe", tmp_path, "index.echo", "python3.13", 256, 30, {"LEVEL": "DEBUG"})


@pytest.mark.integration
def test_response_log_and_context_reach_the_caller(
    function: BuiltFunction, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    lines: list[str] = []
    result = invoke(function, {"name": "Zoë"}, PYTHON, on_line=lines.append)
    assert result.error is None
    assert result.response["event"] == {"name": "Zoë"}
    assert result.response["request_id"] == result.request_id
    assert result.response["arn"].endswith(":function:Probe")
    assert 0 < result.response["remaining"] <= 30_000
    assert "received Zoë" in lines
    seen = result.response["environment"]
    assert seen["LEVEL"] == "DEBUG"
    assert seen["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"
    assert seen["LAMBDA_TASK_ROOT"] == str(function.directory)
    assert "AWS_PROFILE" not in seen
    assert sorted(it.name for it in function.directory.iterdir()) == ["broken.py", "index.py"]


@pytest.mark.integration
def test_deployment_sets_environment_endpoint_and_name(function: BuiltFunction) -> None:
    deployment = Deployment(
        "app-probe", "arn:probe", {"TABLE": "t"}, region="eu-west-2", endpoint="http://127.0.0.1:2"
    )
    response = invoke(function, {"name": ""}, PYTHON, deployment).response
    assert response["arn"] == "arn:probe"
    expected = {
        "TABLE": "t",
        "AWS_REGION": "eu-west-2",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:2",
        "AWS_LAMBDA_FUNCTION_NAME": "app-probe",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/app-probe",
    }
    assert response["environment"].items() >= expected.items()
    assert "LEVEL" not in response["environment"]


@pytest.mark.integration
@pytest.mark.parametrize(
    ("handler", "error_type", "message"),
    [
        ("index.fail", "LookupError", "no such name"),
        ("broken.handler", "Runtime.ImportModuleError", "a_missing_module"),
        ("index.missing", "Runtime.HandlerNotFound", "missing"),
        ("index.leave", "Runtime.ExitError", "exit status 3"),
        ("index.unserializable", "Runtime.MarshalError", "not JSON serializable"),
    ],
)
def test_error_has_the_type_that_lambda_returns(
    function: BuiltFunction, handler: str, error_type: str, message: str
) -> None:
    result = invoke(replace(function, handler=handler), {}, PYTHON)
    assert result.error is not None
    assert result.error["errorType"] == error_type
    assert message in result.error["errorMessage"]


@pytest.mark.integration
def test_stack_trace_is_logged_in_lines(function: BuiltFunction) -> None:
    lines: list[str] = []
    invoke(replace(function, handler="index.fail"), {}, PYTHON, on_line=lines.append)
    assert "[ERROR] LookupError: no such name" in lines
    assert any(line.lstrip().startswith('raise LookupError("no such name")') for line in lines)


@pytest.mark.integration
def test_function_that_exceeds_its_timeout_is_stopped(function: BuiltFunction) -> None:
    result = invoke(replace(function, handler="index.sleep", timeout_s=1), {}, PYTHON)
    assert result.error == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": "Task timed out after 1.00 seconds",
    }


def test_function_of_another_runtime_is_refused(function: BuiltFunction) -> None:
    with pytest.raises(CommandError, match="runtime nodejs22"):
        invoke(replace(function, runtime="nodejs22.x"), {}, PYTHON)


def test_missing_package_and_interpreter_are_refused(function: BuiltFunction) -> None:
    with pytest.raises(CommandError, match=r"Run `sam build` again"):
        invoke(replace(function, directory=function.directory / "absent"), {}, PYTHON)
    with pytest.raises(CommandError, match="make setup"):
        invoke(function, {}, Path(os.devnull) / "python")
