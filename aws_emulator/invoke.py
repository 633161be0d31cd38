"""Invoke a built Python function once under AWS's runtime interface client, without a container.

`invoke` starts the client in the function's package, serves it the Runtime API, and returns the
function's response or error. The process sees the environment variables of Lambda and none of the
caller's.
"""

import json
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from aws_emulator.built_functions import BuiltFunction
from aws_emulator.errors import CommandError
from aws_emulator.runtime_api import Invocation, Outcome, RuntimeApi

#: Lambda stops an import after 10 s; a busy machine may need longer.
MAX_INIT_S: Final = 60.0
#: Nothing listens on port 1, so a function that calls AWS without an emulator fails locally.
NO_ENDPOINT: Final = "http://127.0.0.1:1"
_WAIT_INTERVAL_S: Final = 0.02
_STOP_TIMEOUT_S: Final = 5.0
#: As in aws_emulator.ministack.packages: MemorySize limits the data segment, in KiB.
_START: Final = 'ulimit -Sd "$1"; exec "$2" -m awslambdaric "$3"'

type OnLine = Callable[[str], None]


@dataclass(frozen=True)
class Deployment:
    """The values that only a deployment knows. The defaults are those without one.

    `environment` are the function's own variables. `endpoint` is the value of AWS_ENDPOINT_URL.
    """

    function_name: str
    function_arn: str
    environment: Mapping[str, str]
    version: str = "$LATEST"
    region: str = "us-east-1"
    endpoint: str = NO_ENDPOINT

    @classmethod
    def undeployed(cls, function: BuiltFunction) -> "Deployment":
        """Return the values of a function that isn't deployed: the template's literals."""
        name = function.logical_id
        arn = f"arn:aws:lambda:us-east-1:000000000000:function:{name}"
        return cls(name, arn, function.environment)


@dataclass(frozen=True)
class Result:
    """The result of an invocation. `error` is the error document that Lambda returns, or None."""

    request_id: str
    response: Any = None
    error: dict[str, Any] | None = None


def invoke(
    function: BuiltFunction,
    event: Any,
    python: Path,
    deployment: Deployment | None = None,
    on_line: OnLine = lambda _: None,
    max_init_s: float = MAX_INIT_S,
) -> Result:
    """Run a function with `event` and return its result. `on_line` receives each log line.

    `python` is an interpreter with awslambdaric. A function that can't be imported, exceeds its
    timeout or exits returns an error with the type that Lambda uses.

    Raises:
        CommandError: The package or the interpreter is missing, or the runtime isn't Python.
    """
    _check(function, python)
    deployment = deployment or Deployment.undeployed(function)
    invocation = Invocation(
        str(uuid4()), json.dumps(event).encode(), deployment.function_arn, function.timeout_s
    )
    api = RuntimeApi(invocation)
    with tempfile.TemporaryDirectory(prefix="invoke-") as temporary, api.serve() as address:
        process = subprocess.Popen(
            [
                "/bin/sh",
                "-c",
                _START,
                "sh",
                str(function.memory_mb * 1024),
                python,
                function.handler,
            ],
            cwd=function.directory,
            env=environment(function, deployment, address, temporary),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert process.stdout is not None
        reader = threading.Thread(target=_read_lines, args=(process.stdout, on_line))
        reader.start()
        try:
            outcome = _wait(api, process, function.timeout_s, max_init_s)
        finally:
            stop(process, reader)
    return result_of(invocation.request_id, outcome)


def stop(process: "subprocess.Popen[bytes]", reader: threading.Thread) -> None:
    """Stop a function's process, and the thread that reads its output."""
    process.terminate()
    try:
        process.wait(_STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    reader.join(_STOP_TIMEOUT_S)
    if process.stdout is not None:
        process.stdout.close()


def environment(
    function: BuiltFunction, deployment: Deployment, runtime_api: str, temporary: str
) -> dict[str, str]:
    """Return the variables that Lambda defines, the function's own and the endpoint's.

    Source: Lambda developer guide, "Using Lambda environment variables". HOME, TMPDIR and PATH
    replace those of AWS's image.
    """
    task = str(function.directory)
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "HOME": temporary,
        "TMPDIR": temporary,
        "PYTHONPATH": task,
        "PYTHONNOUSERSITE": "1",
        # The package belongs to the build, which compares and uploads its files.
        "PYTHONDONTWRITEBYTECODE": "1",
        **deployment.environment,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_FORMAT": "Text",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{deployment.function_name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": "invoke",
        "AWS_LAMBDA_FUNCTION_NAME": deployment.function_name,
        "AWS_LAMBDA_FUNCTION_VERSION": deployment.version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        "AWS_LAMBDA_RUNTIME_API": runtime_api,
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:2000",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_SESSION_TOKEN": "test",
        "AWS_REGION": deployment.region,
        "AWS_DEFAULT_REGION": deployment.region,
        "AWS_ENDPOINT_URL": deployment.endpoint,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
        "LAMBDA_TASK_ROOT": task,
        "_HANDLER": function.handler,
    }


def _check(function: BuiltFunction, python: Path) -> None:
    if not function.runtime.startswith("python"):
        raise CommandError(
            f"{function.logical_id} has the runtime {function.runtime}. Only Python functions run "
            "under this runtime interface client."
        )
    if not function.directory.is_dir():
        raise CommandError(f"{function.directory} does not exist. Run `sam build` again.")
    if not python.exists():
        raise CommandError(f"{python} does not exist. Create the environments: make setup")


def _read_lines(output: Iterable[bytes], on_line: OnLine) -> None:
    # After a timeout a process that the function left behind may keep the pipe open until it is
    # closed here.
    try:
        for line in output:
            # The client separates the lines of a stack trace with carriage returns.
            for part in line.decode(errors="replace").rstrip("\r\n").split("\r"):
                on_line(part)
    except ValueError:
        return


def _wait(
    api: RuntimeApi, process: "subprocess.Popen[bytes]", timeout_s: float, max_init_s: float
) -> Outcome:
    """Return the outcome when the runtime reports one, exits, or exceeds a limit."""
    limit, phase = time.monotonic() + max_init_s, "Init"
    while not api.finished.wait(_WAIT_INTERVAL_S):
        if phase == "Init" and api.started.is_set():
            limit, phase = time.monotonic() + timeout_s, "Task"
        if (code := process.poll()) is not None:
            # The runtime may have reported its error just before it ended.
            api.finish(_exited(code))
            break
        if time.monotonic() > limit:
            seconds = max_init_s if phase == "Init" else timeout_s
            message = f"{phase} timed out after {seconds:.2f} seconds"
            api.finish(Outcome(error={"errorType": "Sandbox.Timedout", "errorMessage": message}))
            break
    assert api.outcome is not None
    return api.outcome


def _exited(code: int) -> Outcome:
    reason = f"signal: {-code}" if code < 0 else f"exit status {code}"
    error = {"errorType": "Runtime.ExitError", "errorMessage": f"Runtime exited with {reason}"}
    return Outcome(error=error)


def result_of(request_id: str, outcome: Outcome) -> Result:
    """Return the result of an invocation from the outcome that the runtime reported."""
    if outcome.error is not None:
        return Result(request_id, error=outcome.error)
    try:
        return Result(request_id, response=json.loads(outcome.response))
    except ValueError:
        message = f"The response is not JSON: {outcome.response[:200]!r}"
        error = {"errorType": "Runtime.InvalidResponse", "errorMessage": message}
        return Result(request_id, error=error)
